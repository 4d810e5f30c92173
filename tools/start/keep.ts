import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 15_000;
/** Who ran this long is not dying again and again. */
const CALM_MS = 60_000;

/** A server or service that is ready. */
export interface Running {
  /** Resolves when it has ended, with how: `SIGKILL`, `exit code 1`. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Settings are wrong: starting again does not help. */
export class WrongSettings extends Error {}

/** Keeps one part running: starts it again when it dies, after a pause that grows while it keeps dying. */
export class Kept<Part extends Running> {
  readonly name: string;
  readonly #start: (signal: AbortSignal) => Promise<Part>;
  readonly #say: (line: string) => void;
  readonly #giveUp: (error: Error) => void;
  readonly #stopping = new AbortController();
  #current: Promise<Part> | undefined;
  #part: Part | undefined;

  /** `start` resolves when the part is ready, and leaves nothing behind when it rejects or is aborted. `giveUp` is told of wrong settings. */
  constructor(
    name: string,
    start: (signal: AbortSignal) => Promise<Part>,
    { say, giveUp }: { say: (line: string) => void; giveUp: (error: Error) => void },
  ) {
    this.name = name;
    this.#start = start;
    this.#say = say;
    this.#giveUp = giveUp;
  }

  /** Starts it the first time; a failure of that is the caller's. */
  async start(): Promise<Part> {
    const part = await this.#begin();
    void this.#keep(part);
    return part;
  }

  /** Stops it, whatever it is at, and does not start it again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#current?.catch(() => undefined);
    await this.#part?.stop();
  }

  /** SIGKILL, without waiting. */
  kill(): void {
    this.#stopping.abort();
    // A server of the user's refuses, and runs on.
    this.#part?.kill().catch(() => undefined);
  }

  async #begin(): Promise<Part> {
    this.#current = this.#start(this.#stopping.signal);
    this.#part = await this.#current;
    return this.#part;
  }

  async #keep(first: Part): Promise<void> {
    const { signal } = this.#stopping;
    let part: Part | undefined = first;
    for (let pauseMs = PAUSE_MIN_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      let why = 'it could not be started';
      if (part) {
        const since = Date.now();
        why = await part.exited;
        if (Date.now() - since > CALM_MS) pauseMs = PAUSE_MIN_MS;
      }
      if (signal.aborted) return;
      this.#say(`${this.name} died (${why}): starting it again in ${pauseMs / 1000} s`);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        part = await this.#begin();
        this.#say(`${this.name} is back`);
      } catch (error) {
        part = undefined;
        if (error instanceof WrongSettings) return this.#giveUp(error);
        if (!signal.aborted) this.#say((error as Error).message);
      }
    }
  }
}
