import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Language, Msisdn, SmsId } from '#libs/contracts';
import { insertOrRead } from '#libs/mongo';
import { Host, log, Unavailable } from '#libs/runtime';
import { LRUCache } from 'lru-cache';
import type { Model, QueryFilter, UpdateQuery } from 'mongoose';
import { NumberRecord } from './number.schema.ts';

/** Of everybody, so far. */
export const LANGUAGE: Language = 'en';
/** Help that nobody asked for comes at most once in this. */
const HELP_EVERY_MS = 5 * 60_000;
const RACES_MAX = 10;
/** When somebody was heard is not written again for so long. */
const SEEN_EVERY_MS = 5 * 60_000;
const SEEN_MAX = 100_000;

/** What is known of each number that wrote to us. */
@Injectable()
export class NumbersService {
  /** When this process wrote `heardAt` or `deliveredAt` of a number last, milliseconds of that time. */
  private readonly seen = new LRUCache<string, number>({ maxSize: SEEN_MAX, sizeCalculation: () => 1 });

  constructor(
    @InjectModel(NumberRecord.name) private readonly numbers: Model<NumberRecord>,
    private readonly host: Host,
  ) {}

  /** An SMS of a number was recorded. */
  heard(number: Msisdn, at: Date): Promise<void> {
    return this.note(number, 'heardAt', at);
  }

  /** A text arrived at a number: so it takes texts. */
  async delivered(number: Msisdn, at: Date): Promise<void> {
    await this.note(number, 'deliveredAt', at);
    // Not only where it is noted: another process may have met the refusal since.
    await this.write({ _id: number, optedOutAt: { $exists: true } }, { $unset: { optedOutAt: 1 } });
  }

  /** The provider takes no text for a number, until one is delivered again. */
  async optedOut(number: Msisdn, at: Date): Promise<void> {
    const change = { $set: { optedOutAt: at }, $setOnInsert: { language: LANGUAGE } };
    await this.numbers.updateOne({ _id: number }, change, { upsert: true });
  }

  /** True for one SMS of a number in five minutes, and for that one each time. However many come at once: the row decides. */
  async mayHelp(number: Msisdn, smsId: SmsId, at: Date): Promise<boolean> {
    const row = { _id: number, language: LANGUAGE, helpedAt: at, helpedFor: smsId };
    let { stored } = await insertOrRead(this.numbers, row as NumberRecord, this.host);
    for (let race = 0; race < RACES_MAX; race++) {
      const { helpedAt, helpedFor } = stored;
      if (helpedFor === smsId) return true;
      if (helpedAt && at.getTime() - helpedAt.getTime() < HELP_EVERY_MS) return false;
      await this.numbers.updateOne(
        { _id: number, helpedFor: helpedFor ?? { $exists: false } },
        { $set: { helpedAt: at, helpedFor: smsId } },
      );
      stored = await this.numbers.findById(number).orFail().lean<NumberRecord>();
    }
    throw new Unavailable(`the row of a number, raced for ${RACES_MAX} times,`);
  }

  private async note(number: Msisdn, what: 'heardAt' | 'deliveredAt', at: Date): Promise<void> {
    const key = `${what} ${number}`;
    if (at.getTime() - (this.seen.get(key) ?? -Infinity) < SEEN_EVERY_MS) return;
    const change = { $max: { [what]: at }, $setOnInsert: { language: LANGUAGE } };
    if (await this.write({ _id: number }, change, true)) this.seen.set(key, at.getTime());
  }

  /** It only helps people who look: where it cannot be written, nothing waits for it. False then. */
  private async write(which: QueryFilter<NumberRecord>, change: UpdateQuery<NumberRecord>, upsert = false): Promise<boolean> {
    try {
      await this.numbers.updateOne(which, change, { upsert });
      return true;
    } catch (error) {
      log.warn({ err: error }, 'what is known of a number could not be written');
      return false;
    }
  }
}
