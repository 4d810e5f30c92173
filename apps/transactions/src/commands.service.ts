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
import { counts } from './domain/waiting-room.ts';
import { OpeningsService } from './openings.service.ts';
import type { ReadPayment } from './payment.schema.ts';
import { PaymentsService } from './payments.service.ts';

type Command<Type extends PaymentCommand['type']> = Extract<PaymentCommand, { type: Type }>;
/** An SMS with what it asks for. */
export type Asked = RequestOf<typeof CarryOut>;
type Answer = ResponseOf<typeof CarryOut>;
const TAKEN: Answer = { result: 'taken' };
/** The clocks of two services may differ by so much (`Clock`). */
const CLOCKS_MS = 4_000;

/** Carries out what SMS ask for: what belongs to it is found, by a code or a reference, and what came of it is answered. */
@Injectable()
export class CommandsService {
  constructor(
    private readonly payments: PaymentsService,
    private readonly openings: OpeningsService,
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
        return this.byCode(asked, this.codes.unseal(command.code, asked.smsId), (payment) =>
          this.payments.apply(payment, { type: 'right_code', cause: causeOf(asked) }),
        );
      case 'no':
        return this.no(asked, command);
      case 'status': {
        const payment = await this.ofPerson(asked, command.ref);
        return payment ? this.status(asked, payment) : answered({ type: 'ref_unknown', ref: refText(command.ref) });
      }
      default:
        return command satisfies never;
    }
  }

  /** Lets `act` decide on the open payment whose code this is; what has ended is answered by how it did. */
  private async byCode(asked: Asked, code: Secret, act: (payment: ReadPayment) => Promise<Payment>): Promise<Answer> {
    const { smsId, from, recordedAt } = asked;
    const { room, hasTicket } = await this.codes.takeTicket(smsId, from, recordedAt);
    const found =
      (await this.ofCode(room, code, asked, hasTicket)) ??
      (await this.ofCode(await this.payments.withOlder(room, recordedAt), code, asked, hasTicket));
    if (!found) return this.wrongCode(asked, room);
    if (isOpen(found) && recordedAt >= found.endsAt) {
      await this.codes.right(room, smsId, []);
      return this.status(asked, { ...found, state: 'expired', closedBy: causeOf(asked) });
    }
    const payment = isOpen(found) ? await this.withTicketHeld(room, smsId, () => act(found)) : found;
    crashPoint('transactions: code acted on');
    await this.codes.right(room, smsId, isOpen(payment) ? [] : [payment.id]);
    return this.takenOrStatus(asked, payment);
  }

  /** The one open payment that a code fits, else the newest of those that have ended. A code that fits two open ones is none. */
  private async ofCode(
    room: ReadRoom,
    code: Secret,
    { recordedAt }: Asked,
    hasTicket: boolean,
  ): Promise<ReadPayment | undefined> {
    const fitting = new Map(room.things.filter((thing) => this.codes.fits(thing, code)).map((thing) => [thing.id, thing]));
    const payments = await this.payments.ofThings([...fitting.values()]);
    const open = payments.filter((payment) => {
      const thing = fitting.get(payment.id);
      // Nobody knows a code before there is one.
      const isAfter = payment.openedAt.getTime() - CLOCKS_MS <= recordedAt.getTime();
      return isOpen(payment) && isAfter && thing && counts(thing, code.reveal().length, recordedAt, hasTicket);
    });
    return open.length > 1 ? undefined : (open[0] ?? payments.findLast((payment) => !isOpen(payment)));
  }

  private async withTicketHeld(room: ReadRoom, smsId: SmsId, act: () => Promise<Payment>): Promise<Payment> {
    try {
      return await act();
    } catch (error) {
      await this.codes.holdTicket(room, smsId).catch(() => undefined);
      throw error;
    }
  }

  /** Counts it. Where codes are being guessed, each open one is told once more, with nine digits. */
  private async wrongCode({ smsId, recordedAt }: Asked, room: ReadRoom): Promise<Answer> {
    for (const payment of await this.payments.ofThings(await this.codes.wrong(room, smsId, recordedAt))) {
      crashPoint('transactions: before a code is made longer');
      await this.payments.apply(payment, { type: 'code_guessed' });
    }
    return answered({ type: 'wrong_code' });
  }

  private async no(asked: Asked, { of }: Command<'no'>): Promise<Answer> {
    const cause = causeOf(asked);
    switch (of?.by) {
      case 'code':
        return this.byCode(asked, this.codes.unseal(of.code, asked.smsId), (payment) =>
          this.payments.apply(payment, { type: 'no', by: 'payer', cause }),
        );
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

  /** `taken` to the SMS that closed the payment (its people are told from here); its outcome to any other. */
  private takenOrStatus(asked: Asked, payment: Payment): Answer {
    return 'closedBy' in payment && payment.closedBy === causeOf(asked) ? TAKEN : this.status(asked, payment);
  }

  private status(asked: Asked, payment: Payment): Answer {
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

const answered = (message: Message): Answer & { result: 'answer' } => ({ result: 'answer', message });

const causeOf = (asked: Asked) => asked.smsId as string as Cause;
