import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Msisdn, Sealed, SmsId } from '#libs/contracts';
import { assertWaited, DataKeys, type KeyRing, Host, log, masked, Metrics, Secret, Unavailable } from '#libs/runtime';
import { isDuplicateKey } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { codeOf, type Waiting, withFreeCode } from './domain/code.ts';
import { GUESSED_FOR_MS, GUESSES_MAX, ticketsOf } from './domain/guessing.ts';
import { Guess, GuessedNumber } from './guess.schema.ts';
import type { Settings } from './settings.ts';

/** To know of five codes whether they are right takes a moment. */
const TICKET_LOOKS_MAX = 20;
const TICKET_LOOK_MS = 100;
/** A ticket of which it is not known for so long whether its code is right counts as one of a wrong code. */
const COMPARED_WITHIN_MS = 60_000;

/** The codes that confirm payments: computed, compared and counted here alone. */
@Injectable()
export class CodesService {
  private readonly dataKeys: DataKeys;
  private readonly keys: KeyRing;
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
    this.keys = settings.CODE_KEY;
  }

  /** True if `code` is that of a thing. */
  fits(thing: Waiting, code: Secret): boolean {
    return this.of(thing) === code.reveal();
  }

  /** A code as a person sent it, from where the gateway sealed it. */
  unseal(code: Sealed, smsId: SmsId): Secret {
    return this.dataKeys.unseal(code, `code:${smsId}`);
  }

  /** The code of a thing, sealed for the event that tells it. */
  seal(thing: Waiting, eventId: string): Sealed {
    return this.dataKeys.seal(new Secret(this.of(thing)), `code:${eventId}`);
  }

  /** What the code of a new thing of a person is computed of: by the first key, and so that none of their others has the same code. */
  async forNew(id: string, number: Msisdn, others: readonly Waiting[]): Promise<Omit<Required<Waiting>, 'id'>> {
    const [first] = this.keys;
    if (!first) throw new Error('CODE_KEY holds no key');
    const guessed = await this.guessedNumbers.findById(number).lean<GuessedNumber>();
    const codeDigits = guessed && guessed.until > this.clock.now() ? 9 : 6;
    const taken = new Set(others.map((other) => this.of(other)));
    const { codeN } = withFreeCode(first.key, { id, codeDigits, codeKey: first.id }, taken);
    return { codeN, codeDigits, codeKey: first.id };
  }

  /**
   * Takes a ticket for the code of one SMS; false if all of an hour went to wrong codes: then it is compared with codes of nine digits alone.
   * Throws `Unavailable` while it is not known of the others whether they are right.
   */
  async takeTicket(smsId: SmsId, number: Msisdn, at: Date): Promise<boolean> {
    for (let look = 0; look < TICKET_LOOKS_MAX; look++) {
      assertWaited('a ticket');
      const taken = await this.takenAt(number, at);
      if (taken.some((ticket) => ticket.smsId === smsId)) return true;
      if (taken.length === GUESSES_MAX && taken.every((ticket) => this.isWrong(ticket))) return false;
      for (const id of ticketsOf(number).filter((free) => !taken.some((ticket) => ticket._id === free)))
        if (await this.take(id, smsId, at)) return true;
      await this.host.sleep(TICKET_LOOK_MS);
    }
    throw new Unavailable('a ticket while others are compared');
  }

  private takenAt(number: Msisdn, at: Date): Promise<Guess[]> {
    return this.guesses.find({ _id: { $in: ticketsOf(number) }, until: { $gt: at } }).lean<Guess[]>();
  }

  // A write whose reply was lost may come when its SMS is done with: nobody says any more of such a ticket that it was wrong.
  private isWrong({ is, at }: Guess): boolean {
    return is === 'wrong' || (is === undefined && this.clock.now().getTime() - at.getTime() >= COMPARED_WITHIN_MS);
  }

  private async take(_id: string, smsId: SmsId, at: Date): Promise<boolean> {
    const ticket = { smsId, at: this.clock.now(), until: new Date(at.getTime() + GUESSED_FOR_MS) };
    try {
      await this.guesses.updateOne({ _id, until: { $lte: at } }, { $set: ticket, $unset: { is: 1 } }, { upsert: true });
      return true;
    } catch (error) {
      // Another SMS has it, unless the same one, driven twice at once, has another.
      if (isDuplicateKey(error)) return (await this.guesses.exists({ smsId })) !== null;
      throw error;
    }
  }

  /** The code of an SMS is right, and what it asks for could not be done yet: until it is, its ticket is no wrong one. */
  async holdTicket(smsId: SmsId): Promise<void> {
    await this.guesses.updateOne({ smsId }, { $set: { is: 'right' } });
  }

  /** The code of an SMS was right, and what it asked for is stored: its ticket is free again. */
  async giveBackTicket(smsId: SmsId): Promise<void> {
    await this.guesses.deleteOne({ smsId });
  }

  /** The code of an SMS was wrong. True if too many of its number in an hour are: then its codes get nine digits. */
  async wrong(smsId: SmsId, number: Msisdn, at: Date): Promise<boolean> {
    await this.guesses.updateOne({ smsId }, { $set: { is: 'wrong' } });
    this.wrongTotal.inc();
    const taken = await this.takenAt(number, at);
    if (taken.filter((ticket) => this.isWrong(ticket)).length < GUESSES_MAX) return false;
    const until = new Date(at.getTime() + GUESSED_FOR_MS);
    await this.guessedNumbers.updateOne({ _id: number }, { $max: { until } }, { upsert: true });
    log.warn({ msisdn: masked(number) }, 'codes are being guessed');
    return true;
  }

  private of(thing: Waiting): string {
    return codeOf(this.keyOf(thing), thing);
  }

  private keyOf({ codeKey }: Waiting): KeyObject {
    const entry = codeKey === undefined ? this.keys.at(-1) : this.keys.find(({ id }) => id === codeKey);
    if (!entry) throw new Error(`CODE_KEY lacks the key ${codeKey}, of which codes that wait were computed`);
    return entry.key;
  }
}
