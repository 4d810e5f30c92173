import { counter, type Lifecycle, log, span } from '#libs/process';
import type { Model, QueryFilter } from 'mongoose';
import { faultOf } from './faults.ts';

const redrivenTotal = counter('smspay_redriven_total', 'Documents driven again from the database', ['what']);
const deadLettersTotal = counter('smspay_dead_letters_total', 'Documents given up until an operator replays them', ['what']);

const POLL_MS = 500;
const POLL_MAX = 200;
const AT_ONCE = 16;
const UNCOUNTED_WAIT_MAX_MS = 15_000;
const COUNTED_WAIT_MAX_MS = 300_000;

/** The fields by which a document without an outcome is found again. Set by its insert, so that a crash right after it is found. */
export interface Driven {
  _id: string;
  /** Absent: nothing is open. Moving it on is the claim of who drives. */
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
  /** How long a claim lasts; longer than one drive takes. Also how far an insert must set `nextTryAt` ahead for its own first drive. */
  leaseMs: number;
  /** Counted tries before it is a dead letter; `Infinity` for what concerns money already moved. */
  triesMax: number;
  /** False while what `drive` cannot do without is away: nothing is put off by it then, and all is due, the oldest first, when it is back. */
  canDrive?: () => boolean;
  lifecycle: Lifecycle;
}

/** Drives again from MongoDB what has no outcome yet (design.md, "Redrive"). */
export class Redrive<T extends Driven> {
  readonly #options: RedriveOptions<T>;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: RedriveOptions<T>) {
    this.#options = options;
    options.lifecycle.onStop(async () => {
      clearTimeout(this.#timer);
      await this.#round;
    });
  }

  /** Begins to look for what is due. */
  start(): void {
    this.#timer = setTimeout(
      () => {
        this.#round = this.#drivesAllDue().finally(() => {
          if (this.#options.lifecycle.accepting) this.start();
        });
      },
      POLL_MS * (0.5 + Math.random()),
    );
  }

  /** The first drive of a document that was just inserted: the insert's `nextTryAt` is the claim. */
  driveNow(document: T): void {
    this.#options.lifecycle.track(this.#driveOne(document));
  }

  /** Age of the oldest document without an outcome, in seconds, by the field that says when it was stored; 0 if there is none. */
  async oldestSeconds(storedAt: keyof T & string): Promise<number> {
    const [oldest] = await this.#options.model.aggregate<{ at: Date }>([
      { $match: { nextTryAt: { $exists: true } } },
      { $group: { _id: null, at: { $min: `$${storedAt}` } } },
    ]);
    return oldest ? (Date.now() - oldest.at.getTime()) / 1000 : 0;
  }

  async #drivesAllDue(): Promise<void> {
    const { model, what, lifecycle, canDrive = () => true } = this.#options;
    const goesOn = () => lifecycle.accepting && canDrive();
    try {
      while (goesOn()) {
        const due = await model
          .find({ nextTryAt: { $lte: new Date() } } as QueryFilter<T>)
          .sort({ nextTryAt: 1 })
          .limit(POLL_MAX)
          .lean<T[]>();
        const rest = [...due];
        await Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            for (let next = rest.shift(); next && goesOn(); next = rest.shift()) {
              if (!(await this.#claim(next))) continue;
              redrivenTotal.inc({ what });
              await this.#driveOne(next);
            }
          }),
        );
        if (due.length < POLL_MAX) return;
      }
    } catch (error) {
      log.warn({ err: error, what }, 'could not look for what is due');
    }
  }

  async #claim(document: T): Promise<boolean> {
    const { model, leaseMs } = this.#options;
    const { modifiedCount } = await model.updateOne({ _id: document._id, nextTryAt: document.nextTryAt } as QueryFilter<T>, {
      $set: { nextTryAt: new Date(Date.now() + leaseMs) },
    });
    return modifiedCount === 1;
  }

  async #driveOne(document: T): Promise<void> {
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
    const { model, what, triesMax } = this.#options;
    const counted = faultOf(error) === 'failed';
    const tries = document.tries + (counted ? 1 : 0);
    const waits = (document.waits ?? 0) + 1;
    const reason = error instanceof Error ? error.message : String(error);
    if (tries >= triesMax) {
      deadLettersTotal.inc({ what });
      log.error({ err: error, what, id: document._id, tries }, 'dead letter');
      await model.updateOne(
        { _id: document._id } as QueryFilter<T>,
        { $set: { tries, dead: { reason, at: new Date() } }, $unset: { nextTryAt: 1 } } as never,
      );
      return;
    }
    const longest = counted ? COUNTED_WAIT_MAX_MS : UNCOUNTED_WAIT_MAX_MS;
    const waitMs = Math.min(longest, 500 * 2 ** Math.min(waits, 12)) * (0.5 + Math.random() / 2);
    if (counted) log.warn({ err: error, what, id: document._id, tries }, 'a try failed');
    await model.updateOne(
      { _id: document._id, nextTryAt: { $exists: true } } as QueryFilter<T>,
      { $set: { tries, waits, nextTryAt: new Date(Date.now() + waitMs) } } as never,
    );
  }
}
