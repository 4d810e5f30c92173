import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Msisdn, Sealed, SmsId } from '#libs/contracts';
import { assertWaited, DataKeys, type KeyRing, Host, log, masked, Metrics, Secret, Unavailable } from '#libs/runtime';
import { storeOver } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { codeOf, freeCodeN } from './domain/code.ts';
import {
  emptyAt,
  entered,
  extended,
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
import { WaitingRoomRecord } from './waiting-room.schema.ts';

/** To know of five codes whether they are right takes a moment. */
const TICKET_LOOKS_MAX = 20;
const TICKET_LOOK_MS = 100;
const RACES_MAX = 20;
const RACE_MS = 20;

/** The room of a number, its id, as it was read; of version 0 while nothing is stored. */
export interface ReadRoom extends WaitingRoom {
  readonly _id: Msisdn;
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
    return stored ?? { _id: number, version: 0, things: [], tickets: [] };
  }

  /** True if `code` is that of a thing, or was before its codes were made longer. */
  fits(thing: Waiting, code: Secret): boolean {
    return this.codesOf(thing).includes(code.reveal());
  }

  /** A code as a person sent it, from where the gateway sealed it. */
  unseal(code: Sealed, smsId: SmsId): Secret {
    return this.dataKeys.unseal(code, `code:${smsId}`);
  }

  /** The code of a thing, sealed for the event that tells it; undefined if its key was taken away. */
  seal(thing: Waiting, eventId: string): Sealed | undefined {
    const [code] = this.codesOf(thing);
    return code === undefined ? undefined : this.dataKeys.seal(new Secret(code), `code:${eventId}`);
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
    for (let current = room; ;) {
      current = await this.change(current, (read) => {
        const holders = holdersOf(read, kind);
        if (holders.some((thing) => thing.id === id)) return extended(read, id, until);
        if (holders.length >= PLACES) return read;
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
   * Gives a thing the one place of its kind and a code, in the place of what waited there, which is returned too. The same thing again has the code that
   * it got, whatever took its place since.
   */
  async replace(
    room: ReadRoom,
    { id, kind, until }: Pick<Waiting, 'id' | 'kind' | 'until'>,
  ): Promise<{ thing: Waiting; replaced: Waiting[] }> {
    let replaced: Waiting[] = [];
    const { things } = await this.change(room, (read) => {
      const known = read.things.some((thing) => thing.id === id);
      replaced = known ? [] : holdersOf(read, kind);
      if (known) return extended(read, id, until);
      const freed = left(
        read,
        replaced.map((thing) => thing.id),
      );
      return entered(freed, { id, kind, until, ...this.derivationOf(id, read) }, this.clock.now());
    });
    const thing = things.find((other) => other.id === id);
    if (!thing) throw new Error('what entered a room is not in it');
    return { thing, replaced };
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
      return isGuessed ? lengthened(judgedRoom, at, this.clock.now()) : judgedRoom;
    });
    this.wrongTotal.inc();
    if (!isGuessed) return [];
    log.warn({ msisdn: masked(room._id) }, 'codes are being guessed');
    return changed.things.filter(({ over }) => !over);
  }

  /** The room with these too, unless they are there. */
  async admit(room: ReadRoom, things: readonly Waiting[]): Promise<ReadRoom> {
    return this.change(room, (read) => {
      const missing = things.filter(({ id }) => !read.things.some((thing) => thing.id === id));
      return missing.length === 0 ? read : { ...read, things: [...read.things, ...missing] };
    });
  }

  /** Changes a room as it was read, or as others left it meanwhile. */
  private async change(room: ReadRoom, change: (room: ReadRoom) => WaitingRoom): Promise<ReadRoom> {
    let read = room;
    for (let race = 0; race < RACES_MAX; race++) {
      const next = change(read);
      if (next === read) return read;
      const { _id, version } = read;
      // From a place of its own: whoever still holds a room that the database removed meanwhile must not take the next one for it.
      const nextVersion = version === 0 ? this.host.randomBytes(6).readUIntBE(0, 6) + 1 : version + 1;
      const changed = { ...next, _id, version: nextVersion, emptyAt: emptyAt(next) } as WaitingRoomRecord;
      if (await storeOver(this.rooms, version, changed)) return changed;
      await this.host.sleep(this.host.random() * RACE_MS * race);
      read = await this.roomOf(_id);
    }
    throw new Unavailable(`the codes of a number, raced for ${RACES_MAX} times,`);
  }

  /** Of what the code of a new thing is computed: by the first key, and so that nothing else in the room has the same. */
  private derivationOf(id: string, { things, guessedUntil }: WaitingRoom): Derivation {
    const [first] = this.keys;
    if (!first) throw new Error('CODE_KEY holds no key');
    const codeDigits = guessedUntil && guessedUntil > this.clock.now() ? 9 : 6;
    const taken = new Set(things.flatMap((other) => (other.id === id ? [] : this.codesOf(other))));
    return { codeN: freeCodeN(first.key, { id, codeDigits }, taken), codeDigits, codeKey: first.id };
  }

  /** The one that it has, then those that it had. None if its key was taken out of `CODE_KEY`: such a code fits nothing, and hinders no other. */
  private codesOf(thing: Waiting): string[] {
    const { codeKey, codeDigits, longerSince } = thing;
    const keys = codeKey === undefined ? this.keys : this.keys.filter(({ id }) => id === codeKey);
    if (keys.length === 0) log.warn({ codeKey }, 'CODE_KEY lacks the key of a code that waits');
    const digits = longerSince ? ([codeDigits, 6] as const) : [codeDigits];
    return digits.flatMap((each) => keys.map(({ key }) => codeOf(key, { ...thing, codeDigits: each })));
  }
}
