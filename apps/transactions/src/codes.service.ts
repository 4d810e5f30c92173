import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Msisdn, Sealed, SmsId } from '#libs/contracts';
import { assertWaited, DataKeys, type KeyRing, Host, log, masked, Metrics, Secret, Unavailable } from '#libs/runtime';
import { isDuplicateKey } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { codeOf, freeCodeN } from './domain/code.ts';
import {
  emptyAt,
  entered,
  type Derivation,
  givenBack,
  holdersOf,
  isGuessedAt,
  judged,
  left,
  lengthened,
  PLACES,
  type Waiting,
  type WaitingRoom,
  withTicket,
} from './domain/waiting-room.ts';
import type { Settings } from './settings.ts';
import { PaymentRecord } from './payment.schema.ts';
import { WaitingRoomRecord } from './waiting-room.schema.ts';

/** To know of five codes whether they are right takes a moment. */
const TICKET_LOOKS_MAX = 20;
const TICKET_LOOK_MS = 100;
const RACES_MAX = 20;
const RACE_MS = 20;
/** Of what 0.2.0 opened the newest are looked for. */
const OLDER_MAX = 30;

/** The room of a number as it was read; of version 0 while nothing is stored. */
export interface ReadRoom extends WaitingRoom {
  readonly number: Msisdn;
  readonly version: number;
}

/** What waits for a code, of whatever kind, and the codes themselves: computed, compared and counted here alone. */
@Injectable()
export class CodesService {
  private readonly dataKeys: DataKeys;
  private readonly keys: KeyRing;
  private readonly wrongTotal;

  constructor(
    @InjectModel(WaitingRoomRecord.name) private readonly rooms: Model<WaitingRoomRecord>,
    @InjectModel(PaymentRecord.name) private readonly payments: Model<PaymentRecord>,
    private readonly clock: Clock,
    private readonly host: Host,
    metrics: Metrics,
    @Inject(SETTINGS) settings: Settings,
  ) {
    this.wrongTotal = metrics.counter('smspay_wrong_codes_total', 'SMS whose code fitted nothing');
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
    this.keys = settings.CODE_KEY;
  }

  /** What waits for the codes of a number. */
  async roomOf(number: Msisdn): Promise<ReadRoom> {
    const stored = await this.rooms.findById(number).lean<WaitingRoomRecord>();
    if (!stored) return { number, version: 0, things: [], tickets: [] };
    const { version, things, tickets, guessedUntil } = stored;
    return { number, version, things, tickets, ...(guessedUntil ? { guessedUntil } : {}) };
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

  /**
   * Gives a thing a place in a room, and a code; the same thing again has the ones that it got. Undefined if all places are taken: `endedOf` says of
   * what holds one whether it waits no more.
   */
  async enter(
    room: ReadRoom,
    { id, kind, until }: Pick<Waiting, 'id' | 'kind' | 'until'>,
    endedOf: (things: Waiting[]) => Promise<string[]>,
  ): Promise<Waiting | undefined> {
    for (let current = room.version === 0 ? await this.withOlder(room) : room; ;) {
      current = await this.change(current, (read) => {
        const holders = holdersOf(read, kind);
        if (holders.some((thing) => thing.id === id) || holders.length >= PLACES) return read;
        return entered(read, { id, kind, until, ...this.derivationOf(id, read) }, this.clock.now());
      });
      const holders = holdersOf(current, kind);
      const thing = holders.find((other) => other.id === id);
      if (thing) return thing;
      const ended = await endedOf(holders);
      if (ended.length === 0) return undefined;
      current = await this.change(current, (read) => left(read, ended));
    }
  }

  /**
   * Takes a ticket for the code of one SMS; none if all of an hour went to wrong codes: then it is compared with codes of nine digits alone.
   * Throws `Unavailable` while it is not known of the others whether they are right.
   */
  async takeTicket(smsId: SmsId, number: Msisdn, at: Date): Promise<{ room: ReadRoom; hasTicket: boolean }> {
    for (let look = 0; look < TICKET_LOOKS_MAX; look++) {
      assertWaited('a ticket');
      let waits = false;
      const room = await this.change(await this.roomOf(number), (read) => {
        const taken = withTicket(read, smsId, at, this.clock.now());
        waits = taken === 'wait';
        return typeof taken === 'string' ? read : taken;
      });
      if (!waits) return { room, hasTicket: room.tickets.some((ticket) => ticket.smsId === smsId) };
      await this.host.sleep(TICKET_LOOK_MS);
    }
    throw new Unavailable('a ticket while others are compared');
  }

  /** The code of an SMS is right, and what it asks for could not be done yet: until it is, its ticket is no wrong one. */
  async holdTicket(room: ReadRoom, smsId: SmsId): Promise<void> {
    await this.change(room, (read) => judged(read, smsId, 'right'));
  }

  /** The code of an SMS was right, and what it asked for is stored: its ticket is free again, and so is the place of what it ended. */
  async right(room: ReadRoom, smsId: SmsId, ended: string[]): Promise<void> {
    await this.change(room, (read) => left(givenBack(read, smsId), ended));
  }

  /** The code of an SMS was wrong. What waits, if too many of its number in an hour are: that has codes of nine digits from now on. */
  async wrong(room: ReadRoom, smsId: SmsId, at: Date): Promise<Waiting[]> {
    let isGuessed = false;
    const changed = await this.change(room, (read) => {
      const judgedRoom = judged(read, smsId, 'wrong');
      isGuessed = isGuessedAt(judgedRoom, at, this.clock.now());
      return isGuessed ? lengthened(judgedRoom, at) : judgedRoom;
    });
    this.wrongTotal.inc();
    if (!isGuessed) return [];
    log.warn({ msisdn: masked(room.number) }, 'codes are being guessed');
    return changed.things.filter(({ over }) => !over);
  }

  /** The room with what 0.2.0 opened, before this release or in a process beside it: its code is computed of what stands in the payment. */
  async withOlder(room: ReadRoom): Promise<ReadRoom> {
    const newest = await this.payments
      .find({ 'payer.number': room.number, endsAt: { $gt: this.clock.now() } })
      .sort({ endsAt: -1 })
      .limit(OLDER_MAX)
      .lean<(PaymentRecord & Derivation & { endsAt: Date })[]>();
    const opened = newest
      .filter(({ state }) => state === 'awaiting_confirmation' || state === 'awaiting_approval')
      .map(({ _id: id, origin: kind, endsAt: until, codeN, codeDigits }) => ({ id, kind, until, codeN, codeDigits }));
    return this.change(room, (read) => {
      const older = opened.filter(({ id }) => !read.things.some((thing) => thing.id === id));
      return older.length === 0 ? read : { ...read, things: [...read.things, ...older] };
    });
  }

  /** Changes a room as it was read, or as others left it meanwhile. */
  private async change(room: ReadRoom, change: (room: ReadRoom) => WaitingRoom): Promise<ReadRoom> {
    let read = room;
    for (let race = 0; race < RACES_MAX; race++) {
      const next = change(read);
      if (next === read) return read;
      const { number, version } = read;
      const changed = { ...next, number, version: version + 1 };
      if (await this.store(changed)) return changed;
      await this.host.sleep(this.host.random() * RACE_MS * race);
      read = await this.roomOf(number);
    }
    throw new Unavailable(`the codes of a number, raced for ${RACES_MAX} times,`);
  }

  /** False if another version was stored meanwhile. */
  private async store({ number, version, ...room }: ReadRoom): Promise<boolean> {
    const change = { ...room, version, emptyAt: emptyAt(room) };
    if (version > 1) {
      const { modifiedCount } = await this.rooms.updateOne({ _id: number, version: version - 1 }, { $set: change });
      return modifiedCount === 1;
    }
    try {
      await this.rooms.insertOne({ ...change, _id: number } as WaitingRoomRecord);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** Of what the code of a new thing is computed: by the first key, and so that nothing else in the room has the same. */
  private derivationOf(id: string, { things, guessedUntil }: WaitingRoom): Derivation {
    const [first] = this.keys;
    if (!first) throw new Error('CODE_KEY holds no key');
    const codeDigits = guessedUntil && guessedUntil > this.clock.now() ? 9 : 6;
    const taken = new Set(things.filter((other) => other.id !== id).map((other) => this.of(other)));
    return { codeN: freeCodeN(first.key, { id, codeDigits }, taken), codeDigits, codeKey: first.id };
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
