import { type Host, type Lifecycle, log, type Metrics, span } from '#libs/process';
import type { Model, QueryFilter } from 'mongoose';
import { faultOf } from './faults.ts';

const POLL_MS = 500;
const POLL_MAX = 32;
const AT_ONCE = 8;
const UNCOUNTED_WAIT_MAX_MS = 15_000;
const COUNTED_WAIT_MAX_MS = 300_000;

/** The fields by which a document without an outcome is found again. Set by its insert, so that a crash right after it is found. */
export interface Driven {
  _id: string;
  /** Absent: nothing is open. Moving it on is the claim of who drives; first set by `firstTryAt`. */
  nextTryAt?: Date | undefined;
  /** Counted tries: only a fault of this document counts. */
  tries: number;
  /** Tries since the last progress, counted or not: they only space the waiting. */
  waits?: number | undefined;
  traceparent?: string | undefined;
  /** Why it was given up; a dead letter. */
  dead?: { reason: string; at: Date } | undefined;
}

export interface RedriveOptions<T extends Driven> {
  model: Model<T>;
  /** For logs and metrics: a closed set. */
  what: string;
  /** Does what is open and clears `nextTryAt` (or moves it on) with the outcome. Throwing means: again later. Safe to run twice. */
  drive: (document: T) => Promise<void>;
  /** How long a claim lasts; longer than one drive takes. */
  leaseMs: number;
  /** Counted tries before it is a dead letter; `Infinity` for what concerns money already moved. */
  triesMax: number;
  /** False while what `drive` cannot do without is away: nothing is put off by it then, and all is due, the oldest first, when it is back. */
  canDrive?: () => boolean;
  /** What comes while there is no room waits behind what is older. Without it, it is driven at once: for what is further along than what begins elsewhere. */
  inTurn?: boolean;
  lifecycle: Lifecycle;
  host: Host;
  metrics: Metrics;
}

/**
 * Drives what has no outcome yet (design.md, "Redrive"): at once if there is room, else from MongoDB, the oldest first. So a process
 * that is given more than it can do stays as quick as it is, and what came first is done first, by whichever process has room.
 */
export class Redrive<T extends Driven> {
  readonly #options: RedriveOptions<T>;
  readonly #redriven: ReturnType<Metrics['counter']>;
  readonly #deadLetters: ReturnType<Metrics['counter']>;
  #driving = 0;
  /** Whether more may be due than was found. */
  #more = false;
  /** Found due and not claimed yet. */
  #due: T[] = [];
  #looking: Promise<void> | undefined;

  constructor(options: RedriveOptions<T>) {
    this.#options = options;
    this.#redriven = options.metrics.counter(
      'smspay_redriven_total',
      'Documents driven from the database: again, or because nobody had room for them',
      ['what'],
    );
    this.#deadLetters = options.metrics.counter(
      'smspay_dead_letters_total',
      'Documents given up until an operator replays them',
      ['what'],
    );
  }

  /** Begins to look for what is due. */
  start(): void {
    const { lifecycle, host } = this.#options;
    lifecycle.repeat(
      () => POLL_MS * (0.5 + host.random()),
      () => {
        this.#more = true;
        if (this.#hasRoom()) lifecycle.track(this.#work());
      },
    );
  }

  /** The `nextTryAt` of a document's insert, or of the change that makes it open: a claim by this process if it has room, else due for any. */
  firstTryAt(): Date {
    const { inTurn, leaseMs } = this.#options;
    if (inTurn ? this.#hasRoom() : this.#canDrive()) return this.#in(leaseMs);
    this.#more = true;
    return this.#in(0);
  }

  /** The first drive of a document that was just stored, if `firstTryAt` was a claim. */
  driveNow(document: T): void {
    if (document.nextTryAt && document.nextTryAt > this.#in(0)) this.#options.lifecycle.track(this.#work(document));
  }

  /** Age of the oldest document without an outcome, in seconds, by the field that says when it was stored; 0 if there is none. */
  async oldestSeconds(storedAt: keyof T & string): Promise<number> {
    const [oldest] = await this.#options.model.aggregate<{ at: Date }>([
      { $match: { nextTryAt: { $exists: true } } },
      { $group: { _id: null, at: { $min: `$${storedAt}` } } },
    ]);
    return oldest ? (this.#in(0).getTime() - oldest.at.getTime()) / 1000 : 0;
  }

  #in(ms: number): Date {
    return new Date(this.#options.host.now().getTime() + ms);
  }

  #hasRoom(): boolean {
    return this.#driving < AT_ONCE && this.#canDrive();
  }

  #canDrive(): boolean {
    const { lifecycle, canDrive } = this.#options;
    return lifecycle.accepting && (canDrive?.() ?? true);
  }

  /** Drives one document after the other, and lets more be driven at the same time while there are more. */
  async #work(first?: T): Promise<void> {
    const { what, lifecycle } = this.#options;
    this.#driving++;
    try {
      if (first) await this.#drive(first);
      for (let next = await this.#claimNext(); next; next = await this.#claimNext()) {
        if (this.#due.length > 0 && this.#hasRoom()) lifecycle.track(this.#work());
        this.#redriven.inc({ what });
        await this.#drive(next);
      }
    } catch (error) {
      log.warn({ err: error, what }, 'could not look for what is due');
    } finally {
      this.#driving--;
    }
  }

  async #claimNext(): Promise<T | undefined> {
    while (this.#canDrive()) {
      // Most likely the oldest; but processes that found the same must not all take the same.
      const [next] = this.#due.splice(Math.floor(this.#options.host.random() ** 2 * this.#due.length), 1);
      if (next) {
        if (await this.#claim(next)) return next;
        // Another process drives what this one found.
        this.#due = [];
      } else if (this.#more) {
        this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
        await this.#looking;
      } else {
        return undefined;
      }
    }
    return undefined;
  }

  async #look(): Promise<void> {
    this.#more = false;
    const oldest = await this.#options.model
      .find({ nextTryAt: { $lte: this.#in(0) } } as QueryFilter<T>)
      .sort({ nextTryAt: 1 })
      .limit(POLL_MAX)
      .lean<T[]>();
    if (oldest.length > 0) this.#more = true;
    this.#due = oldest;
  }

  async #claim(document: T): Promise<boolean> {
    const { model, leaseMs } = this.#options;
    const { modifiedCount } = await model.updateOne({ _id: document._id, nextTryAt: document.nextTryAt } as QueryFilter<T>, {
      $set: { nextTryAt: this.#in(leaseMs) },
    });
    return modifiedCount === 1;
  }

  async #drive(document: T): Promise<void> {
    const { drive, what } = this.#options;
    try {
      await span(`${what} drive`, () => drive(document), { parent: document.traceparent });
    } catch (error) {
      await this.#putOff(document, error).catch((failure: unknown) =>
        log.warn({ err: failure, what }, 'could not put off; the claim ends by itself'),
      );
    }
  }

  async #putOff(document: T, error: unknown): Promise<void> {
    const { model, what, triesMax, host } = this.#options;
    const counted = faultOf(error) === 'failed';
    const tries = document.tries + (counted ? 1 : 0);
    const waits = (document.waits ?? 0) + 1;
    const reason = error instanceof Error ? error.message : String(error);
    if (tries >= triesMax) {
      this.#deadLetters.inc({ what });
      log.error({ err: error, what, id: document._id, tries }, 'dead letter');
      await model.updateOne(
        { _id: document._id } as QueryFilter<T>,
        { $set: { tries, dead: { reason, at: this.#in(0) } }, $unset: { nextTryAt: 1 } } as never,
      );
      return;
    }
    const longest = counted ? COUNTED_WAIT_MAX_MS : UNCOUNTED_WAIT_MAX_MS;
    const waitMs = Math.min(longest, 500 * 2 ** Math.min(waits, 12)) * (0.5 + host.random() / 2);
    if (counted) log.warn({ err: error, what, id: document._id, tries }, 'a try failed');
    await model.updateOne(
      { _id: document._id, nextTryAt: { $exists: true } } as QueryFilter<T>,
      { $set: { tries, waits, nextTryAt: this.#in(waitMs) } } as never,
    );
  }
}
