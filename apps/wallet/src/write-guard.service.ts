import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { Unavailable } from '#libs/messaging';
import { gauge, Lifecycle, log } from '#libs/service';
import type { Connection } from 'mongoose';

const SKEW_MAX_MS = 2_000;
const CHECK_MS = 10_000;
const RETRY_MS = 1_000;
/** A database that cannot be asked takes no writes either, so a check holds a little longer than until the next one. */
const GOOD_FOR_MS = 30_000;

const skewSeconds = gauge('smspay_clock_skew_seconds', 'How far the clock of the database is ahead of this one');

/** Lets the wallet write only while its clock is within 2 s of the database's: days and months hang on it. */
@Injectable()
export class WriteGuard implements OnApplicationBootstrap {
  #goodUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #checked: Promise<void> = Promise.resolve();

  constructor(
    @InjectConnection() private readonly connection: Connection,
    private readonly lifecycle: Lifecycle,
  ) {}

  onApplicationBootstrap(): void {
    this.lifecycle.onStop(() => clearTimeout(this.#timer));
    this.#checked = this.#check();
  }

  /** Throws `Unavailable` unless it is safe to write now. */
  async assertOpen(): Promise<void> {
    if (performance.now() > this.#goodUntil) await this.#checked;
    if (performance.now() > this.#goodUntil) throw new Unavailable('a clock near that of the database');
  }

  async #check(): Promise<void> {
    let good = false;
    try {
      const skewMs = await this.#skewMs();
      skewSeconds.set(skewMs / 1000);
      good = Math.abs(skewMs) <= SKEW_MAX_MS;
      this.#goodUntil = good ? performance.now() + GOOD_FOR_MS : 0;
      if (!good)
        log.error({ skewMs, maxMs: SKEW_MAX_MS }, 'the clock differs from that of the database: no transfers until it is set');
    } catch (error) {
      log.warn({ err: error }, 'could not check whether it is safe to write');
    }
    if (!this.lifecycle.accepting) return;
    this.#timer = setTimeout(() => (this.#checked = this.#check()), good ? CHECK_MS : RETRY_MS);
  }

  /** How far the database's clock is ahead of this one, taken at the middle of the question. */
  async #skewMs(): Promise<number> {
    const admin = this.connection.getClient().db('admin');
    const before = Date.now();
    const { localTime } = await admin.command({ hello: 1 });
    return localTime.getTime() - (before + Date.now()) / 2;
  }
}
