import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Msisdn, PaymentId, Sealed, SmsId } from '#libs/contracts';
import { Unavailable, DataKeys, Host, log, masked, Metrics, Secret } from '#libs/runtime';
import { insertOrRead, isDuplicateKey, OtherIndexTaken } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { codeOf, freeN } from './domain/code.ts';
import { type CodeDigits, GUESSED_FOR_MS, GUESSES_MAX, ticketsOf } from './domain/guessing.ts';
import type { Payment } from './domain/payment.ts';
import { Guess, GuessedNumber } from './guess.schema.ts';
import type { Settings } from './settings.ts';

/** To know of five codes whether they are right takes a moment. */
const TICKET_LOOKS_MAX = 20;
const TICKET_LOOK_MS = 100;
/** A ticket of which it is not known for so long whether its code is right counts as one of a wrong code. */
const PENDING_MAX_MS = 60_000;

/** The codes that confirm payments: computed, compared and counted here alone. */
@Injectable()
export class CodesService {
  private readonly dataKeys: DataKeys;
  private readonly key: KeyObject;
  private readonly wrongTotal;

  constructor(
    @InjectModel(Guess.name) private readonly guesses: Model<Guess>,
    @InjectModel(GuessedNumber.name) private readonly guessedNumbers: Model<GuessedNumber>,
    private readonly clock: Clock,
    private readonly host: Host,
    metrics: Metrics,
    @Inject(SETTINGS) settings: Settings,
  ) {
    this.wrongTotal = metrics.counter('smspay_wrong_codes_total', 'SMS whose code fitted nothing');
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
    const [first] = settings.CODE_KEY;
    if (!first) throw new Error('CODE_KEY holds no key');
    this.key = first.key;
  }

  /** True if `code` is the payment's. */
  fits(payment: Payment, code: Secret): boolean {
    return this.of(payment) === code.reveal();
  }

  /** A code as a person sent it, from where the gateway sealed it. */
  open(code: Sealed, smsId: SmsId): Secret {
    return this.dataKeys.open(code, `code:${smsId}`);
  }

  /** The payment's code, sealed for the event that tells it. */
  seal(payment: Payment, eventId: string): Sealed {
    return this.dataKeys.seal(new Secret(this.of(payment)), `code:${eventId}`);
  }

  /** What makes the code of a new payment: one that no other of the payer's has. */
  async forNew(id: PaymentId, payer: Msisdn, others: readonly Payment[]): Promise<{ codeN: number; codeDigits: CodeDigits }> {
    const guessed = await this.guessedNumbers.findById(payer).lean<GuessedNumber>();
    const digits = guessed && guessed.until > this.clock.now() ? 9 : 6;
    return { codeN: freeN(this.key, id, digits, new Set(others.map((other) => this.of(other)))), codeDigits: digits };
  }

  /**
   * Takes a ticket for the code of one SMS; false if all of this hour went to wrong codes: then it is compared with codes of nine digits alone.
   * Throws `Unavailable` while it is not known of the others whether they are right.
   */
  async takeTicket(smsId: SmsId, number: Msisdn, at: Date): Promise<boolean> {
    const ids = ticketsOf(number, at);
    for (let look = 0; look < TICKET_LOOKS_MAX; look++) {
      const taken = await this.guesses.find({ _id: { $in: ids } }).lean<Guess[]>();
      if (taken.some((ticket) => ticket.smsId === smsId)) return true;
      if (taken.length === ids.length && !taken.some((ticket) => this.isPending(ticket))) return false;
      for (const id of ids.filter((free) => !taken.some((ticket) => ticket._id === free)))
        if (await this.take(id, smsId)) return true;
      await this.host.sleep(TICKET_LOOK_MS);
    }
    throw new Unavailable('a ticket while others are compared');
  }

  // An insert whose reply was lost may come when its SMS is done with: nobody says any more of such a ticket that it was wrong.
  private isPending({ wrong, at }: Guess): boolean {
    return !wrong && this.clock.now().getTime() - at.getTime() < PENDING_MAX_MS;
  }

  private async take(_id: string, smsId: SmsId): Promise<boolean> {
    try {
      const { stored } = await insertOrRead(this.guesses, { _id, smsId, at: this.clock.now() }, this.host);
      return stored.smsId === smsId;
    } catch (error) {
      // The same SMS, driven twice at once, has another one.
      if (error instanceof OtherIndexTaken) return true;
      // It was taken, and given back since.
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** The code of an SMS was right, and what it asked for is stored: its ticket is free again. */
  async giveBackTicket(smsId: SmsId): Promise<void> {
    await this.guesses.deleteOne({ smsId });
  }

  /** The code of an SMS was wrong. True if too many of its number in this hour are: then its codes get nine digits. */
  async wrong(smsId: SmsId, number: Msisdn, at: Date): Promise<boolean> {
    await this.guesses.updateOne({ smsId }, { $set: { wrong: true } });
    this.wrongTotal.inc();
    const taken = await this.guesses.countDocuments({ _id: { $in: ticketsOf(number, at) } });
    if (taken < GUESSES_MAX) return false;
    const until = new Date(at.getTime() + GUESSED_FOR_MS);
    await this.guessedNumbers.updateOne({ _id: number }, { $max: { until } }, { upsert: true });
    log.warn({ msisdn: masked(number) }, 'codes are being guessed');
    return true;
  }

  private of(payment: Payment): string {
    return codeOf(this.key, payment.id, payment.codeN, payment.codeDigits);
  }
}
