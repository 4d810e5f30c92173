import type { Host } from '#libs/process';
import type { Caller, Outcome } from './caller.ts';
import type { Chance } from './chance.ts';
import type { Scheduler } from './scheduler.ts';
import type { Story } from './story.ts';

/** Reads, which change nothing. */
const IDLE = / (find|findOne|hello|ping|count)\b/;

/** One way to the world outside and one way back, on average. */
const WAY_MS = 0.4;

/**
 * One process, from its start to its end: what runs in it hears of the world outside only through here. So it can be killed between any two
 * effects (it never hears again, and nothing that it would do afterwards leaves it), or paused (it hears later).
 */
export class SimulatedProcess implements Caller {
  readonly name: string;
  readonly host: Host;
  readonly chance: Chance;
  /** How far its wall clock is ahead of the true time, milliseconds. */
  skewMs = 0;
  /** Everything that it asks outside takes so many times as long. */
  slowness = 1;
  readonly #scheduler: Scheduler;
  readonly #story: Story;
  /** When it began, true time in epoch milliseconds. */
  readonly bornMs: number;
  #state: 'running' | 'paused' | 'gone' = 'running';
  /** Places at which it can die that it still passes before it does. */
  #placesLeft = Infinity;
  #heardLater: (() => void)[] = [];
  readonly #mourners = new Set<() => void>();

  constructor(name: string, parts: { scheduler: Scheduler; chance: Chance; story: Story }) {
    this.name = name;
    this.#scheduler = parts.scheduler;
    this.#story = parts.story;
    this.chance = parts.chance;
    this.bornMs = parts.scheduler.nowMs;
    this.host = {
      now: () => new Date(Math.floor(this.#scheduler.nowMs + this.skewMs)),
      monotonicMs: () => this.#scheduler.nowMs - this.bornMs,
      sleep: (ms, signal) => this.sleep(ms, signal),
      random: () => this.chance.draw(),
      randomBytes: (size) => this.chance.bytes(size),
    };
  }

  get alive(): boolean {
    return this.#state !== 'gone';
  }

  get paused(): boolean {
    return this.#state === 'paused';
  }

  call<T>(what: string, serve: (answer: (outcome: Outcome<T>) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.dies(`before ${what}`)) return;
      this.#scheduler.after(this.wayMs(), () =>
        serve((outcome) =>
          this.#scheduler.after(this.wayMs(), () =>
            this.hear(() => {
              if (this.dies(`after ${what}`)) return;
              if ('value' in outcome) {
                if (!IDLE.test(what)) this.#story.did(this.name, what);
                resolve(outcome.value);
              } else {
                this.#story.did(this.name, `${what} ✗ ${outcome.error.message}`);
                reject(outcome.error);
              }
            }),
          ),
        ),
      );
    });
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const due = this.#scheduler.after(ms, () =>
        this.hear(() => {
          signal?.removeEventListener('abort', stop);
          resolve();
        }),
      );
      const stop = () => {
        due.cancel();
        resolve();
      };
      signal?.addEventListener('abort', stop, { once: true });
      return undefined;
    });
  }

  /** How long something is under way between this process and the world outside, milliseconds. */
  wayMs(): number {
    return this.chance.wait(WAY_MS) * this.slowness;
  }

  /** Something from outside reaches the process: now, when it goes on again, or never. */
  hear(news: () => void): void {
    if (this.#state === 'running') news();
    else if (this.#state === 'paused') this.#heardLater.push(news);
  }

  /** True if the process is gone, or dies at this place: what comes next does not happen. */
  dies(place: string): boolean {
    if (this.#state === 'gone') return true;
    if (this.#placesLeft-- > 0) return false;
    this.kill(place);
    return true;
  }

  /** It will be killed once it has passed so many places between two effects. */
  killAfter(places: number): void {
    this.#placesLeft = places;
  }

  /** `kill -9`. */
  kill(where = 'idle'): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#heardLater = [];
    this.#story.fault(`${this.name} is killed ${where}`);
    for (const mourn of this.#mourners) mourn();
    this.#mourners.clear();
  }

  /** It ended by itself: nothing more happens in it. */
  end(): void {
    this.#state = 'gone';
    this.#heardLater = [];
    for (const mourn of this.#mourners) mourn();
    this.#mourners.clear();
  }

  /** Called at its end; returns how to be no longer called. */
  onEnd(mourn: () => void): () => void {
    if (this.#state === 'gone') mourn();
    else this.#mourners.add(mourn);
    return () => this.#mourners.delete(mourn);
  }

  /** SIGSTOP: the world goes on without it. */
  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  /** SIGCONT: it hears what it missed, in order. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const missed = this.#heardLater;
    this.#heardLater = [];
    for (const news of missed) this.#scheduler.after(0, () => this.hear(news));
  }
}
