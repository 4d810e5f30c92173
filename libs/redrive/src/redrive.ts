import { faultOf } from '#libs/mongo';
import { type Host, type Lifecycle, log, maskNumbers, type Metrics, span, unhurried } from '#libs/runtime';
import type { Model, QueryFilter, UpdateQuery } from 'mongoose';

/** Between two looks for what is due; longer and longer while there is nothing. */
const POLL_MS = 500;
const IDLE_POLL_MS = 2_000;
const POLL_MAX = 32;
const CLAIM_BYTES = 8;
/** Waits grow from here, each twice as long as the one before. */
const FIRST_WAIT_MS = 500;
const UNCOUNTED_WAIT_MAX_MS = 15_000;
const COUNTED_WAIT_MAX_MS = 15 * 60_000;
/** So many failures, of more than one document, with nothing between them that passed, for so long, are an outage, and no fault of each. */
const OUTAGE = { failures: 8, documents: 2, ms: 3_000 };
/** What passed longer before a document's last try says nothing of how it was then. */
const PASSED_LATELY_MS = 10_000;
/** Letters of the reason of a dead letter. */
const REASON_MAX = 300;
/** Enough to know the age of the oldest: in an outage all keep their places, the oldest first. */
const OLDEST_AMONG = 1_000;
/** A document is given up only after so many counted tries over so long a time. */
const GIVEN_UP_AFTER = { tries: 20, ms: 6 * 3_600_000 };

/** The fields by which an open document is found again: one of which something is still to be done. Set by its insert, so that a crash right after it is found. */
export interface Driven {
  _id: string;
  /** Absent: nothing is open. When it is due, or when the claim of who drives it lapses. */
  nextTryAt?: Date | undefined;
  /** The claim of who drives it. Who closes it, puts it off or gives it up names it, so whoever lost it changes nothing. */
  claim?: string | undefined;
  /** Counted tries: those that failed while others passed. */
  tries: number;
  /** Tries since the last progress, counted or not: they only space the waiting. */
  waits?: number | undefined;
  /** When the first of the counted tries failed. */
  failingSince?: Date | undefined;
  traceparent?: string | undefined;
  /** Why it was given up; a dead letter. */
  dead?: { reason: string; at: Date } | undefined;
}

/** The part of an insert, or of the change that makes a document open, that says when it is driven. */
export type FirstTry = Pick<Driven, 'claim'> & { nextTryAt: Date };

type Drive<T> = (document: T) => Promise<boolean | void>;

export interface RedriveOptions<T extends Driven> {
  model: Model<T>;
  /** For logs and metrics: a closed set. */
  what: string;
  /**
   * Does what is open, and closes the document or moves it on, by its claim. Throwing means: again later. Safe to run twice. `false` says that nothing
   * was seen to work by it, so that it does not tell an outage from a fault of another document.
   */
  drive: Drive<T>;
  /** How logs name a document whose `_id` tells a number; by its `_id` if absent. */
  nameOf?: (document: T) => string;
  /** How long a claim lasts; longer than one drive takes mostly. Who takes longer loses it, and does no harm. */
  leaseMs: number;
  /** Documents that one process drives at the same time. What comes when it has no room waits in the database for whichever has. */
  atOnce: number;
  /** Whether it may become a dead letter. What concerns money already moved is driven for ever. */
  givesUp: boolean;
  /** False while what `drive` cannot do without is away: nothing is put off by it then, and all is due, the oldest first, when it is back. */
  canDrive?: () => boolean;
  /** What comes waits behind what is older, even where there is room: for where people begin. What is further along does not. */
  inTurn?: boolean;
  lifecycle: Lifecycle;
  /** The time that all processes agree on. */
  clock: { now(): Date };
  host: Host;
  metrics: Metrics;
}

/**
 * Drives what is open (docs/design.md, "Redrive"): at once if there is room, else from MongoDB, the oldest first. So a process
 * that is given more than it can do stays as quick as it is, and what came first is done first, by whichever process has room.
 *
 * What stops everything is an outage: then documents keep their places, and only this process waits. What fails while others pass is a
 * fault of that document: it is put off, and given up in the end.
 */
export class Redrive<T extends Driven> {
  readonly #options: RedriveOptions<T>;
  readonly #redriven;
  readonly #drives;
  readonly #deadLetters;
  readonly #drivingNow;
  #driving = 0;
  /** Whether more may be due than was found. */
  #more = false;
  /** Found due and not claimed yet. */
  #due: T[] = [];
  #looking: Promise<void> | undefined;
  /** Looks that found nothing since something was found or came. */
  #idleLooks = 0;
  /** Failures since something passed, and whose. */
  #inARow = 0;
  readonly #failing = new Set<string>();
  #passedAtMs = -Infinity;
  /** An outage: nothing is driven before that. */
  #pausedUntilMs = 0;

  constructor(options: RedriveOptions<T>) {
    this.#options = options;
    const { metrics } = options;
    this.#redriven = metrics.counter(
      'smspay_redriven_total',
      'Documents driven from the database: again, or because nobody had room for them',
      ['what'],
    );
    this.#drives = metrics.counter('smspay_drives_total', 'Tries to do what a document asks, by how they ended', [
      'what',
      'result',
    ]);
    this.#deadLetters = metrics.counter('smspay_dead_letters_total', 'Documents given up until an operator replays them', [
      'what',
    ]);
    this.#drivingNow = metrics.gauge('smspay_driving', 'Documents that this process drives now', undefined, 'what');
  }

  /** Begins to look for what is due. */
  start(): void {
    const { lifecycle, host } = this.#options;
    lifecycle.repeat(
      () => Math.min(IDLE_POLL_MS, POLL_MS * 2 ** this.#idleLooks) * (0.5 + host.random() / 2),
      () => {
        this.#more = true;
        if (!this.#hasRoom()) return;
        this.#occupy(1);
        lifecycle.track(this.#work());
      },
    );
  }

  /**
   * Stores a document, or the change that makes it open, with the first try that `store` is given: a claim of this process if it has room, else due
   * for any. `store` returns what is stored under the id then, if anything: what has this claim is driven at once, whether the reply to its insert
   * came or was lost. `drive` may begin further on than later ones.
   */
  async begin(store: (first: FirstTry) => Promise<T | undefined>, drive = this.#options.drive): Promise<void> {
    this.#idleLooks = 0;
    const { inTurn, leaseMs, lifecycle } = this.#options;
    const isNow = this.#hasRoom() && !(inTurn && this.#due.length > 0);
    if (!isNow) {
      await store(this.later());
      return;
    }
    // The room is taken before the document is stored: as many come at once as like.
    this.#occupy(1);
    const claim = this.#newClaim();
    let document: T | undefined;
    try {
      const stored = await store({ nextTryAt: this.#in(leaseMs), claim });
      if (stored?.claim === claim) document = stored;
    } finally {
      if (!document) this.#occupy(-1);
    }
    if (document) lifecycle.track(unhurried(() => this.#work({ document, drive })));
  }

  /** A first try of what need not be driven at once. */
  later(): FirstTry {
    this.#more = true;
    this.#idleLooks = 0;
    return { nextTryAt: this.#in(0) };
  }

  /**
   * Stores what came of a document, by its claim, and erases what of it is needed no more; nothing is open after that. False if the claim is lost: then
   * others have it.
   */
  async close(document: T, change: Partial<T>, erased: readonly (keyof T & string)[] = []): Promise<boolean> {
    const { modifiedCount } = await this.#options.model.updateOne(claimOf(document), {
      $set: change,
      $unset: { ...Object.fromEntries(erased.map((field) => [field, 1])), nextTryAt: 1, claim: 1 },
    } as UpdateQuery<T>);
    return modifiedCount === 1;
  }

  /** Age of the oldest open document, in seconds, by the field that says when it was stored; 0 if there is none. */
  async oldestSeconds(storedAt: keyof T & string): Promise<number> {
    const [oldest] = await this.#options.model.aggregate<{ at: Date }>([
      { $match: { nextTryAt: { $exists: true } } },
      { $sort: { nextTryAt: 1 } },
      { $limit: OLDEST_AMONG },
      { $group: { _id: null, at: { $min: `$${storedAt}` } } },
    ]);
    return oldest ? (this.#in(0).getTime() - oldest.at.getTime()) / 1000 : 0;
  }

  #in(ms: number): Date {
    return new Date(this.#options.clock.now().getTime() + ms);
  }

  #newClaim(): string {
    return this.#options.host.randomBytes(CLAIM_BYTES).toString('hex');
  }

  #occupy(rooms: 1 | -1): void {
    this.#driving += rooms;
    this.#drivingNow.set({ what: this.#options.what }, this.#driving);
  }

  #hasRoom(): boolean {
    return this.#driving < this.#options.atOnce && this.#canDrive();
  }

  #canDrive(): boolean {
    const { lifecycle, canDrive, host } = this.#options;
    return lifecycle.accepting && host.monotonicMs() >= this.#pausedUntilMs && (canDrive?.() ?? true);
  }

  /** Drives one document after the other in a room that was taken, and lets more be driven at the same time while there are more. */
  async #work(first?: { document: T; drive: Drive<T> }): Promise<void> {
    const { what, lifecycle, drive } = this.#options;
    try {
      if (first) await this.#drive(first.document, this.#in(0), first.drive);
      for (let next = await this.#claimNext(); next; next = await this.#claimNext()) {
        if (this.#due.length > 0 && this.#hasRoom()) {
          this.#occupy(1);
          lifecycle.track(this.#work());
        }
        this.#redriven.inc({ what });
        await this.#drive(next.document, next.dueAt, drive);
      }
    } catch (error) {
      log.warn({ err: error, what }, 'could not look for what is due');
    } finally {
      this.#occupy(-1);
    }
  }

  async #claimNext(): Promise<{ document: T; dueAt: Date } | undefined> {
    while (this.#canDrive()) {
      // Most likely the oldest; but processes that found the same must not all take the same. In an outage any.
      const place = this.#options.host.random() ** (this.#isOutage() ? 1 : 2);
      const [next] = this.#due.splice(Math.floor(place * this.#due.length), 1);
      if (next) {
        const document = await this.#claim(next);
        if (document) return { document, dueAt: next.nextTryAt ?? this.#in(0) };
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
    const due = (order: 1 | -1, limit: number) =>
      this.#options.model
        .find({ nextTryAt: { $lte: this.#in(0) } } as QueryFilter<T>)
        .sort({ nextTryAt: order })
        .limit(limit)
        .lean<T[]>();
    const oldest = await due(1, POLL_MAX);
    // In an outage the newest are tried too: if one passes it was none, and what stands before it has a fault of its own.
    const newest = this.#isOutage() && oldest.length === POLL_MAX ? await due(-1, POLL_MAX) : [];
    this.#idleLooks = oldest.length > 0 ? 0 : this.#idleLooks + 1;
    if (oldest.length > 0) this.#more = true;
    this.#due = [...oldest, ...newest];
  }

  #isOutage(): boolean {
    return (
      this.#inARow >= OUTAGE.failures &&
      this.#failing.size >= OUTAGE.documents &&
      this.#options.host.monotonicMs() - this.#passedAtMs >= OUTAGE.ms
    );
  }

  /** The document as this process drives it; undefined if another was faster. */
  async #claim(found: T): Promise<T | undefined> {
    const { model, leaseMs } = this.#options;
    const claimed = { nextTryAt: this.#in(leaseMs), claim: this.#newClaim() };
    const { modifiedCount } = await model.updateOne(
      { ...claimOf(found), nextTryAt: found.nextTryAt } as QueryFilter<T>,
      { $set: claimed } as UpdateQuery<T>,
    );
    return modifiedCount === 1 ? { ...found, ...claimed } : undefined;
  }

  async #drive(document: T, dueAt: Date, drive: Drive<T>): Promise<void> {
    const { what, host } = this.#options;
    try {
      const worked = await span(`${what} drive`, () => drive(document), { parent: document.traceparent });
      this.#drives.inc({ what, result: worked === false ? 'no_news' : 'passed' });
      if (worked === false) return;
      this.#inARow = 0;
      this.#failing.clear();
      this.#passedAtMs = host.monotonicMs();
    } catch (error) {
      this.#drives.inc({ what, result: faultOf(error) });
      this.#inARow++;
      if (this.#failing.size < OUTAGE.documents) this.#failing.add(document._id);
      await this.#putOff(document, dueAt, error).catch((failure: unknown) =>
        log.warn({ err: failure, what }, 'could not put off; the claim ends by itself'),
      );
    }
  }

  async #putOff(document: T, dueAt: Date, error: unknown): Promise<void> {
    const { model, what, givesUp, host, nameOf } = this.#options;
    const id = nameOf?.(document) ?? document._id;
    const change = (update: UpdateQuery<T>) => model.updateOne(claimOf(document), update);
    if (this.#isOutage()) {
      const pauseMs = spread(UNCOUNTED_WAIT_MAX_MS, this.#inARow - OUTAGE.failures, host);
      this.#pausedUntilMs = host.monotonicMs() + pauseMs;
      log.warn({ err: error, what, failures: this.#inARow, pauseMs }, 'nothing passes: all of it waits');
      // It keeps its place.
      await change({ $set: { nextTryAt: dueAt }, $unset: { claim: 1 } } as UpdateQuery<T>);
      return;
    }
    // Others passed since it was tried before: what it waited tells when that was.
    const latelyMs = PASSED_LATELY_MS + waitMs(COUNTED_WAIT_MAX_MS, document.tries);
    const counted = faultOf(error) === 'failed' && host.monotonicMs() - this.#passedAtMs <= latelyMs;
    if (!counted) {
      const waits = (document.waits ?? 0) + 1;
      log.warn({ err: error, what, waits }, 'a try did not get through');
      const nextTryAt = this.#in(spread(UNCOUNTED_WAIT_MAX_MS, waits, host));
      await change({ $set: { waits, nextTryAt }, $unset: { claim: 1 } } as UpdateQuery<T>);
      return;
    }
    const tries = document.tries + 1;
    const failingSince = document.failingSince ?? this.#in(0);
    const failingMs = this.#in(0).getTime() - failingSince.getTime();
    if (givesUp && tries >= GIVEN_UP_AFTER.tries && failingMs >= GIVEN_UP_AFTER.ms) {
      // Operators read it.
      const reason = maskNumbers(error instanceof Error ? error.message : String(error)).slice(0, REASON_MAX);
      this.#deadLetters.inc({ what });
      log.error({ err: error, what, id, tries }, 'dead letter');
      await change({
        $set: { tries, failingSince, dead: { reason, at: this.#in(0) } },
        $unset: { nextTryAt: 1, claim: 1 },
      } as UpdateQuery<T>);
      return;
    }
    log.warn({ err: error, what, id, tries }, 'a try failed');
    const nextTryAt = this.#in(spread(COUNTED_WAIT_MAX_MS, tries, host));
    await change({ $set: { tries, failingSince, nextTryAt }, $unset: { claim: 1 } } as UpdateQuery<T>);
  }
}

/** The document, as long as the claim under which it was read holds. */
export function claimOf<T extends Driven>({ _id, claim }: T): QueryFilter<T> {
  return { _id, claim: claim ?? { $exists: false } } as QueryFilter<T>;
}

/** The wait after so many, milliseconds: each is twice as long as the one before. */
const waitMs = (maxMs: number, times: number) => Math.min(maxMs, FIRST_WAIT_MS * 2 ** Math.min(times, 20));

/** The same, between half and all of it so that not all come at once. */
const spread = (maxMs: number, times: number, host: Host) => waitMs(maxMs, times) * (0.5 + host.random() / 2);
