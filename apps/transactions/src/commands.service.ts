import { Injectable } from '@nestjs/common';
import {
  answerEventOf,
  type CarryOut,
  type Cause,
  type Message,
  type PaymentCommand,
  type Ref,
  refText,
  type RequestOf,
  type ResponseOf,
  type SmsId,
} from '#libs/contracts';
import { Clock } from '#libs/nest-service';
import { crashPoint, type Secret } from '#libs/runtime';
import { CodesService, type ReadRoom } from './codes.service.ts';
import { isOpen, type Payment, reasonOf } from './domain/payment.ts';
import { outcomeOf, type PinChange } from './domain/pin-change.ts';
import { counts, type Waiting } from './domain/waiting-room.ts';
import { OpeningsService } from './openings.service.ts';
import type { ReadPayment } from './payment.schema.ts';
import { PaymentsService } from './payments.service.ts';
import type { ReadPinChange } from './pin-change.schema.ts';
import { PinsService } from './pins.service.ts';

type Command<Type extends PaymentCommand['type']> = Extract<PaymentCommand, { type: Type }>;
/** An SMS with what it asks for. */
export type Asked = RequestOf<typeof CarryOut>;
type Answer = ResponseOf<typeof CarryOut>;
const TAKEN: Answer = { result: 'taken' };
/** What waits for a code, or did: a payment, a request, or a PIN that is to be set. */
type Thing = ReadPayment | ReadPinChange;
/** The clocks of two services may differ by so much (`Clock`). */
const CLOCKS_MS = 4_000;

/** Carries out what SMS ask for: what belongs to it is found, by a code or a reference, and what came of it is answered. */
@Injectable()
export class CommandsService {
  constructor(
    private readonly payments: PaymentsService,
    private readonly openings: OpeningsService,
    private readonly pins: PinsService,
    private readonly codes: CodesService,
    private readonly clock: Clock,
  ) {}

  /** Carries out one command of one SMS; the same SMS again finds what it did before. */
  async carryOut(asked: Asked): Promise<Answer> {
    this.clock.assertGood();
    const { command } = asked;
    switch (command.type) {
      case 'pay':
      case 'request':
        await this.openings.begin(asked, command);
        return TAKEN;
      case 'code':
        return this.byCode(asked, this.codes.unseal(command.code, asked.smsId), 'right_code');
      case 'no':
        return this.no(asked, command);
      case 'pin':
        await this.pins.begin(asked, command);
        return TAKEN;
      case 'status': {
        const payment = await this.ofPerson(asked, command.ref);
        return payment ? this.status(asked, payment) : answered({ type: 'ref_unknown', ref: refText(command.ref) });
      }
      default:
        return command satisfies never;
    }
  }

  /** Confirms, or by NO ends, what is open and has this code; what has ended is answered by how it did. */
  private async byCode(asked: Asked, code: Secret, type: 'right_code' | 'no'): Promise<Answer> {
    const { smsId, from, recordedAt } = asked;
    const { room, hasTicket } = await this.codes.takeTicket(smsId, from, recordedAt);
    const found =
      (await this.ofCode(room, code, asked, hasTicket)) ??
      (await this.ofCode(await this.payments.withOlder(room, recordedAt), code, asked, hasTicket));
    if (!found) return this.wrongCode(asked, room);
    if (waits(found) && recordedAt >= found.endsAt) {
      await this.codes.right(room, smsId, []);
      const state = 'expired' as const;
      return this.status(asked, found.origin === 'pin' ? { ...found, state } : { ...found, state, closedBy: causeOf(asked) });
    }
    const thing = waits(found) ? await this.withTicketHeld(room, smsId, () => this.act(found, type, causeOf(asked))) : found;
    crashPoint('transactions: code acted on');
    await this.codes.right(room, smsId, waits(thing) ? [] : [thing.id]);
    return this.takenOrStatus(asked, thing);
  }

  private act(thing: Thing, type: 'right_code' | 'no', cause: Cause): Promise<Payment | PinChange> {
    if (thing.origin === 'pin') return this.pins.apply(thing, { type, cause });
    return this.payments.apply(thing, type === 'no' ? { type, by: 'payer', cause } : { type, cause });
  }

  /** In the order in which they were opened. */
  private async ofThings(things: readonly Waiting[]): Promise<Thing[]> {
    const [payments, pins] = await Promise.all([
      this.payments.ofThings(things.filter(({ kind }) => kind !== 'pin')),
      this.pins.ofThings(things),
    ]);
    return [...payments, ...pins].sort((one, other) => one.openedAt.getTime() - other.openedAt.getTime());
  }

  /** The one open thing that a code fits, else the newest of those that have ended. A code that fits two open ones is none. */
  private async ofCode(room: ReadRoom, code: Secret, { recordedAt }: Asked, hasTicket: boolean): Promise<Thing | undefined> {
    const fitting = new Map(room.things.filter((thing) => this.codes.fits(thing, code)).map((thing) => [thing.id, thing]));
    const things = await this.ofThings([...fitting.values()]);
    const open = things.filter((thing) => {
      const waiting = fitting.get(thing.id);
      // Nobody knows a code before there is one.
      const isAfter = thing.openedAt.getTime() - CLOCKS_MS <= recordedAt.getTime();
      return waits(thing) && isAfter && waiting && counts(waiting, code.reveal().length, recordedAt, hasTicket);
    });
    return open.length > 1 ? undefined : (open[0] ?? things.findLast((thing) => !waits(thing)));
  }

  private async withTicketHeld<T>(room: ReadRoom, smsId: SmsId, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      await this.codes.holdTicket(room, smsId).catch(() => undefined);
      throw error;
    }
  }

  /** Counts it. Where codes are being guessed, each open one is told once more, with nine digits. */
  private async wrongCode({ smsId, recordedAt }: Asked, room: ReadRoom): Promise<Answer> {
    for (const thing of await this.ofThings(await this.codes.wrong(room, smsId, recordedAt))) {
      crashPoint('transactions: before a code is made longer');
      if (thing.origin === 'pin') await this.pins.apply(thing, { type: 'code_guessed' });
      else await this.payments.apply(thing, { type: 'code_guessed' });
    }
    return answered({ type: 'wrong_code' });
  }

  private async no(asked: Asked, { of }: Command<'no'>): Promise<Answer> {
    const cause = causeOf(asked);
    switch (of?.by) {
      case 'code':
        return this.byCode(asked, this.codes.unseal(of.code, asked.smsId), 'no');
      case 'ref': {
        const payment = await this.ofPerson(asked, of.ref);
        if (!payment) return answered({ type: 'ref_unknown', ref: refText(of.ref) });
        // Only one's own request is withdrawn by its reference; all else needs the code.
        const own = payment.origin === 'request' && payment.payee.number === asked.from;
        return own && isOpen(payment)
          ? this.takenOrStatus(asked, await this.payments.apply(payment, { type: 'no', by: 'payee', cause }))
          : this.takenOrStatus(asked, payment);
      }
      case undefined:
        return this.listOpen(asked);
      default:
        return of satisfies never;
    }
  }

  private async listOpen(asked: Asked): Promise<Answer> {
    const { things } = await this.payments.withOlder(await this.codes.roomOf(asked.from), asked.recordedAt);
    const open = await this.payments.openOf(asked.from, things);
    if (open.length === 0) return answered({ type: 'nothing_open' });
    const entries = open.map((payment) => {
      const role = payment.payer.number === asked.from ? ('payer' as const) : ('payee' as const);
      const { amount, ref } = payment;
      const other = role === 'payer' ? payment.payee : payment.payer;
      const thing = things.find(({ id }) => role === 'payer' && id === payment.id);
      const code = thing && this.codes.seal(thing, answerEventOf(asked.smsId));
      return { role, other, amount, ref, ...(code ? { code } : {}) };
    });
    // A code that counts no more need not arrive.
    const dropAts = open.filter(({ payer }) => payer.number === asked.from).map(({ endsAt }) => endsAt.getTime());
    return {
      ...answered({ type: 'open_list', entries }),
      ...(dropAts.length > 0 ? { dropAt: new Date(Math.max(...dropAts)) } : {}),
    };
  }

  /** `taken` to the SMS that closed it (its people are told from here); its outcome to any other. */
  private takenOrStatus(asked: Asked, thing: Payment | PinChange): Answer {
    return 'closedBy' in thing && thing.closedBy === causeOf(asked) ? TAKEN : this.status(asked, thing);
  }

  private status(asked: Asked, thing: Payment | PinChange): Answer {
    return thing.origin === 'pin' ? answered(outcomeOf(thing, this.clock.now())) : this.statusOfPayment(asked, thing);
  }

  private statusOfPayment(asked: Asked, payment: Payment): Answer {
    const role = payment.payer.number === asked.from ? 'payer' : 'payee';
    const { amount, ref } = payment;
    const reason = reasonOf(payment);
    const other = role === 'payer' ? payment.payee : payment.payer;
    const status = isOpen(payment) ? 'awaiting' : payment.state;
    return answered({ type: 'status', role, other, amount, ref, status, ...(reason ? { reason } : {}) });
  }

  /** The payment of this reference, if the asker has a part in it that they know of. */
  private async ofPerson(asked: Asked, ref: Ref): Promise<ReadPayment | undefined> {
    const payment = await this.payments.byRef(ref);
    if (!payment) return undefined;
    const knows =
      payment.payer.number === asked.from ||
      (payment.payee.number === asked.from && (payment.origin === 'request' || payment.state === 'completed'));
    return knows ? payment : undefined;
  }
}

/** True while it waits for its code. */
const waits = (thing: Payment | PinChange) => (thing.origin === 'pin' ? thing.state === 'waits' : isOpen(thing));

const answered = (message: Message): Answer & { result: 'answer' } => ({ result: 'answer', message });

const causeOf = (asked: Asked) => asked.smsId as string as Cause;
