import { Host, Metrics, Unavailable } from '#libs/runtime';

const SKEW_MAX_MS = 2_000;
/** A database that could not be asked for so long takes no writes either. */
const GOOD_FOR_MS = 60_000;

/**
 * The time that a service with a database goes by: the database's, looked up every few seconds and carried on by the monotonic clock in
 * between. So all processes agree, and a wall clock that is wrong or jumps dates nothing. Where it differs from the wall clock by more than
 * 2 s one of the two is wrong, and nobody knows which: then nothing is decided (`assertGood`).
 */
export class Clock {
  readonly #host: Host;
  #databaseMs = 0;
  #lookedAtMs: number | undefined;

  constructor(host: Host, metrics: Metrics) {
    this.#host = host;
    metrics.gauge('smspay_clock_skew_seconds', 'How far the clock of the database is ahead of this one', () =>
      this.#lookedAtMs === undefined ? 0 : this.#skewMs() / 1000,
    );
  }

  /** What the database said it was when this host's monotonic clock stood at `atMs`. */
  set(databaseTime: Date, atMs: number): void {
    this.#databaseMs = databaseTime.getTime();
    this.#lookedAtMs = atMs;
  }

  /** The time. Throws `Unavailable` before the database was asked for the first time. */
  now(): Date {
    if (this.#lookedAtMs === undefined) throw new Unavailable('the time of the database');
    return new Date(this.#databaseMs + this.#host.monotonicMs() - this.#lookedAtMs);
  }

  /** Whether anything may be decided by this clock: an expiry, the day of a transfer, whose turn it is. */
  get good(): boolean {
    if (this.#lookedAtMs === undefined) return false;
    return this.#host.monotonicMs() - this.#lookedAtMs <= GOOD_FOR_MS && Math.abs(this.#skewMs()) <= SKEW_MAX_MS;
  }

  /** Throws `Unavailable` unless the clock is good. */
  assertGood(): void {
    if (!this.good) throw new Unavailable('a clock that agrees with that of the database');
  }

  #skewMs(): number {
    return this.now().getTime() - this.#host.now().getTime();
  }
}
