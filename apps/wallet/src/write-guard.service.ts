import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { Unavailable } from '#libs/messaging';
import { Host, Lifecycle, log, Metrics } from '#libs/service';
import type { Connection } from 'mongoose';

const SKEW_MAX_MS = 2_000;
const CHECK_MS = 10_000;
const RETRY_MS = 1_000;
/** A database that cannot be asked takes no writes either, so a check holds a little longer than until the next one. */
const GOOD_FOR_MS = 30_000;

/** Lets the wallet write only while its clock is within 2 s of the database's: days and months hang on it. */
@Injectable()
export class WriteGuard implements OnApplicationBootstrap {
  #goodUntil = 0;
  #good = false;
  #checked: Promise<void> = Promise.resolve();
  readonly #skewSeconds;

  constructor(
    @InjectConnection() private readonly connection: Connection,
    private readonly lifecycle: Lifecycle,
    private readonly host: Host,
    metrics: Metrics,
  ) {
    this.#skewSeconds = metrics.gauge('smspay_clock_skew_seconds', 'How far the clock of the database is ahead of this one');
  }

  onApplicationBootstrap(): void {
    this.#checked = this.#check();
    this.lifecycle.repeat(
      () => (this.#good ? CHECK_MS : RETRY_MS),
      () => (this.#checked = this.#check()),
    );
  }

  /** Throws `Unavailable` unless it is safe to write now. */
  async assertOpen(): Promise<void> {
    if (this.host.monotonicMs() > this.#goodUntil) await this.#checked;
    if (this.host.monotonicMs() > this.#goodUntil) throw new Unavailable('a clock near that of the database');
  }

  async #check(): Promise<void> {
    this.#good = false;
    try {
      const skewMs = await this.#skewMs();
      this.#skewSeconds.set(skewMs / 1000);
      this.#good = Math.abs(skewMs) <= SKEW_MAX_MS;
      this.#goodUntil = this.#good ? this.host.monotonicMs() + GOOD_FOR_MS : 0;
      if (!this.#good)
        log.error({ skewMs, maxMs: SKEW_MAX_MS }, 'the clock differs from that of the database: no transfers until it is set');
    } catch (error) {
      log.warn({ err: error }, 'could not check whether it is safe to write');
    }
  }

  /** How far the database's clock is ahead of this one, taken at the middle of the question. */
  async #skewMs(): Promise<number> {
    const admin = this.connection.getClient().db('admin');
    const before = this.host.now().getTime();
    const { localTime } = await admin.command({ hello: 1 });
    return localTime.getTime() - (before + this.host.now().getTime()) / 2;
  }
}
