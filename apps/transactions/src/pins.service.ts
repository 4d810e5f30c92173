import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type PaymentCommand, SetPin, type SmsId, Tell } from '#libs/contracts';
import { RpcClient } from '#libs/messaging';
import { insertOrRead } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import { Redrive } from '#libs/redrive';
import { crashPoint, Host, Lifecycle, log, Metrics, traceparent, Unavailable } from '#libs/runtime';
import type { Model } from 'mongoose';
import { CodesService } from './codes.service.ts';
import type { Asked } from './commands.service.ts';
import { decideOnPin, needsPins, pinEventOf, type PinInput, type PinStanding } from './domain/pin-change.ts';
import type { Waiting } from './domain/waiting-room.ts';
import { PinChangeRecord, pinChangeOf, type ReadPinChange, type StoredPinChange } from './pin-change.schema.ts';
import type { Settings } from './settings.ts';
import { markTold, storeUntold } from './untold.ts';

const RACES_MAX = 20;
const MINUTE_MS = 60_000;
/** Longer than asking the wallet and telling takes; a crash is found again after it. */
const LEASE_MS = 10_000;
/** Changes of PINs that one process drives at the same time. */
const AT_ONCE = 8;

/** The life of what changes a PIN: it waits for its code, then the wallet is asked, and its person told. The wallet alone knows PINs. */
@Injectable()
export class PinsService implements OnModuleInit {
  private readonly redrive: Redrive<StoredPinChange>;

  constructor(
    @InjectModel(PinChangeRecord.name) private readonly changes: Model<StoredPinChange>,
    private readonly codes: CodesService,
    private readonly rpc: RpcClient,
    private readonly clock: Clock,
    private readonly host: Host,
    metrics: Metrics,
    lifecycle: Lifecycle,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    // The code came: what was promised is done, however late.
    this.redrive = new Redrive({
      model: changes,
      what: 'pin',
      drive: (stored) => this.drive(stored),
      leaseMs: LEASE_MS,
      atOnce: AT_ONCE,
      givesUp: false,
      canDrive: () => rpc.connected && clock.good,
      lifecycle,
      clock,
      host,
      metrics,
    });
  }

  onModuleInit(): void {
    this.redrive.start();
  }

  /** Stores what an SMS asks for, in the place of an earlier one that waits; the same SMS again changes nothing. Its code is told from there. */
  async begin({ smsId, from, language }: Asked, { old, pin }: Extract<PaymentCommand, { type: 'pin' }>): Promise<void> {
    const openedAt = this.clock.now();
    const codeMs = this.settings.CODE_MINUTES * MINUTE_MS;
    const after = (times: number) => new Date(openedAt.getTime() + times * codeMs);
    const endsAt = after(2);
    const { thing, replaced } = await this.codes.replace(await this.codes.roomOf(from), {
      id: smsId,
      kind: 'pin',
      until: endsAt,
    });
    crashPoint('transactions: before a PIN change is stored');
    await this.redrive.begin(async (first) => {
      const { stored } = await insertOrRead(
        this.changes,
        {
          _id: smsId,
          state: 'waits',
          number: from,
          language,
          openedAt,
          dropAt: after(1),
          endsAt,
          expiresAt: after(3),
          codeDigits: thing.codeDigits,
          pin,
          ...(old ? { old } : {}),
          version: 0,
          untold: ['pin_code'],
          tries: 0,
          ...first,
          traceparent: traceparent(),
        } as StoredPinChange,
        this.host,
      );
      crashPoint('transactions: PIN change stored');
      return stored;
    });
    // Without this they would keep their PINs until their time is up; the room says already that they wait no more.
    for (const change of await this.ofThings(replaced)) await this.apply(change, { type: 'replaced' });
  }

  /** The changes among what waits or waited for a code. Where another took its place, it has ended, whether that is stored yet or not. */
  async ofThings(things: readonly Waiting[]): Promise<ReadPinChange[]> {
    const pins = new Map(things.filter(({ kind }) => kind === 'pin').map((thing) => [thing.id as SmsId, thing]));
    if (pins.size === 0) return [];
    const stored = await this.changes.find({ _id: { $in: [...pins.keys()] } }).lean<StoredPinChange[]>();
    return stored.map((each) => pinChangeOf(each, { waitsNoMore: pins.get(each._id)?.over }));
  }

  /** Applies one input to a change as it was read. Whoever loses a race reads again and decides again. */
  async apply(read: ReadPinChange, input: PinInput): Promise<ReadPinChange> {
    let change = read;
    for (let race = 0; race < RACES_MAX; race++) {
      const decision = decideOnPin(change, input);
      if (!decision) return change;
      const ended = !needsPins({ ...change, ...decision.changes } as PinStanding);
      const moved = {
        ...decision,
        gone: ended ? ({ pin: 1, old: 1 } as const) : {},
        // The longer code comes behind the answer to the wrong one.
        later: input.type === 'code_guessed',
      };
      const stored = await storeUntold(this.changes, this.redrive, change as StoredPinChange, moved, () =>
        crashPoint('transactions: PIN change moved on'),
      );
      if (stored) return pinChangeOf(stored);
      change = pinChangeOf(await this.changes.findById(change._id).orFail().lean<StoredPinChange>());
    }
    throw new Unavailable(`the change of a PIN, raced for ${RACES_MAX} times,`);
  }

  /** Asks the wallet once the code came, tells what is untold, or ends what has had its time. */
  private async drive(stored: StoredPinChange): Promise<void> {
    const change = pinChangeOf(stored);
    const { id, number, pin, old } = change;
    const thing = change.state === 'waits' ? await this.thingOf(change) : undefined;
    if (change.state === 'confirmed' && pin) {
      const answer = await this.rpc.ask(SetPin, { number, inputId: id, pin, ...(old ? { old } : {}) });
      crashPoint('transactions: wallet answered of a PIN');
      await this.apply(change, { type: 'wallet_answered', answer });
    } else if (thing?.over) {
      await this.apply(change, { type: 'replaced' });
    } else if (change.state === 'waits' && stored.untold.length === 0 && change.expiresAt <= this.clock.now()) {
      await this.apply(change, { type: 'time_is_up' });
    } else {
      await this.tell(stored, change, thing);
    }
  }

  private async thingOf({ id, number }: ReadPinChange): Promise<Waiting | undefined> {
    const thing = (await this.codes.roomOf(number)).things.find((other) => other.id === id);
    // Only where somebody took it away: nobody can confirm it, and it expires.
    if (!thing) log.error({ smsId: id }, 'nothing is known of the code of a PIN');
    return thing;
  }

  private async tell(stored: StoredPinChange, change: ReadPinChange, thing: Waiting | undefined): Promise<void> {
    const told = { minutes: this.settings.CODE_MINUTES, now: this.clock.now() };
    const seal = thing && ((eventId: string) => this.codes.seal(thing, eventId));
    const events = stored.untold.flatMap((tale) => pinEventOf(change, tale, told, seal) ?? []);
    if (events.length > 0) await this.rpc.ask(Tell, { events });
    crashPoint('transactions: told of a PIN, not yet marked');
    await markTold(this.changes, stored, change.state === 'waits' ? change.expiresAt : undefined);
  }
}
