import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Msisdn, SmsId } from '#libs/contracts';
import { Unavailable, Host } from '#libs/runtime';
import { insertOrRead } from '#libs/mongo';
import type { Model } from 'mongoose';
import { NumberRecord } from './number.schema.ts';

/** Help that nobody asked for comes at most once in this. */
const HELP_EVERY_MS = 5 * 60_000;
const RACES_MAX = 10;

/** What is known of each number that wrote to us. */
@Injectable()
export class NumbersService {
  constructor(
    @InjectModel(NumberRecord.name) private readonly numbers: Model<NumberRecord>,
    private readonly host: Host,
  ) {}

  /** True for one SMS of a number in five minutes, and for that one each time. However many come at once: the row decides. */
  async mayHelp(number: Msisdn, smsId: SmsId, at: Date): Promise<boolean> {
    let { stored } = await insertOrRead(this.numbers, { _id: number, helpedAt: at, helpedFor: smsId }, this.host);
    for (let race = 0; race < RACES_MAX; race++) {
      if (stored.helpedFor === smsId) return true;
      if (at.getTime() - stored.helpedAt.getTime() < HELP_EVERY_MS) return false;
      const { helpedAt, helpedFor } = stored;
      await this.numbers.updateOne({ _id: number, helpedAt, helpedFor }, { $set: { helpedAt: at, helpedFor: smsId } });
      stored = await this.numbers.findById(number).orFail().lean<NumberRecord>();
    }
    throw new Unavailable(`the row of a number, raced for ${RACES_MAX} times,`);
  }
}
