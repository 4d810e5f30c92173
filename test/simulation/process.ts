import { createHash } from 'node:crypto';
import type { Host } from '#libs/runtime';
import type { Caller, Outcome } from './caller.ts';
import type { Chance } from './chance.ts';
import type { Scheduler } from './scheduler.ts';
import type { Story } from './story.ts';

/** What tells nobody anything: reads, and what every process does at its start and all the time. */
const IDLE = / (find|findOne|hello|ping|count|connect|listIndexes|createCollection|createIndexes)\b|heartbeats /;

/** Where something happens to a process, between two of its effects. */
export interface Trap {
  /** How many places it passes before. */
  places: number;
  /** A part of the names of the places that count. */
  at: string;
}

/** One way to the world outside and one way back, on average. */
const WAY_MS = 0.4;
/** How long the hash of a PIN takes, on average. */
const HASH_MS = 40;

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
  /** How long its host slept, and since when it does. */
  #sleptMs = 0;
  #asleepAtMs: number | undefined;
  /** When its host woke up last, true time in epoch milliseconds. */
  awokeAtMs = 0;
  #trap: (Trap & { happens: (place: string) => void }) | undefined;
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
      monotonicMs: () => this.#scheduler.nowMs - this.bornMs - this.#sleptMs,
      sleep: (ms, signal) => this.sleep(ms, signal),
      random: () => this.chance.draw(),
      randomBytes: (size) => this.chance.bytes(size),
      argon2id: async ({ message, nonce, secret = '' }) => {
        await this.sleep(this.chance.wait(HASH_MS));
        return createHash('sha256')
          .update(Buffer.from(nonce as Buffer))
          .update(secret as Buffer)
          .update(message as Buffer)
          .digest();
      },
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
      const heard = (outcome: Outcome<T>) => {
        if ('value' in outcome) {
          if (!IDLE.test(what)) this.#story.did(this.name, what);
          resolve(outcome.value);
        } else {
          this.#story.did(this.name, `${what} ✗ ${outcome.error.message}`);
          reject(outcome.error);
        }
      };
      this.at(`before ${what}`, () =>
        this.#scheduler.after(this.wayMs(), () =>
          serve((outcome) =>
            this.#scheduler.after(this.wayMs(), () => this.hear(() => this.at(`after ${what}`, () => heard(outcome)))),
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

  /** It is at a place between two effects, where it may be killed or paused; `go` is what it does next. */
  at(place: string, go: () => void): void {
    const trap = this.#trap;
    if (trap && place.includes(trap.at) && trap.places-- === 0) {
      this.#trap = undefined;
      trap.happens(place);
    }
    this.hear(go);
  }

  /** What happens to it at a place: it is killed, or paused. */
  trap({ places, at }: Trap, happens: (place: string) => void): void {
    this.#trap = { places, at, happens };
  }

  untrap(): void {
    this.#trap = undefined;
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

  /** SIGSTOP: the world goes on without it. Or its host is suspended, so that its monotonic clock stands still too. */
  pause(where: string, suspended = false): void {
    if (this.#state !== 'running') return;
    this.#state = 'paused';
    if (suspended) this.#asleepAtMs = this.#scheduler.nowMs;
    this.#story.fault(`${this.name} is ${suspended ? 'suspended' : 'paused'} ${where}`);
  }

  /** SIGCONT: it hears what it missed, in order. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    if (this.#asleepAtMs !== undefined) {
      this.awokeAtMs = this.#scheduler.nowMs;
      this.#sleptMs += this.awokeAtMs - this.#asleepAtMs;
    }
    this.#asleepAtMs = undefined;
    const missed = this.#heardLater;
    this.#heardLater = [];
    for (const news of missed) this.#scheduler.after(0, () => this.hear(news));
  }
}
