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
} from '#libs/contracts';
import { Clock } from '#libs/nest-service';
import { crashPoint, type Secret } from '#libs/runtime';
import { CodesService, type ReadRoom } from './codes.service.ts';
import { isOpen, type Payment, reasonOf } from './domain/payment.ts';
import { OpeningsService } from './openings.service.ts';
import type { ReadPayment } from './payment.schema.ts';
import { PaymentsService } from './payments.service.ts';

type Command<Type extends PaymentCommand['type']> = Extract<PaymentCommand, { type: Type }>;
/** An SMS with what it asks for. */
export type Asked = RequestOf<typeof CarryOut>;
type Answer = ResponseOf<typeof CarryOut>;
const TAKEN: Answer = { result: 'taken' };

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

  /** Finds what `code` belongs to among what waits or waited of late for one of the sender's, and lets `act` decide on what is open. */
  private async byCode(asked: Asked, code: Secret, act: (payment: ReadPayment) => Promise<Payment>): Promise<Answer> {
    const { smsId, from, recordedAt } = asked;
    const { room: seen, hasTicket } = await this.codes.takeTicket(smsId, from, recordedAt);
    const room = seen.things.some((thing) => this.codes.fits(thing, code)) ? seen : await this.codes.withOlder(seen);
    const things = new Map(room.things.filter((thing) => this.codes.fits(thing, code)).map((thing) => [thing.id, thing]));
    const counts = (payment: Payment) => hasTicket || things.get(payment.id)?.codeDigits === 9 || !isOpen(payment);
    const fitting = (await this.payments.ofThings([...things.values()])).filter(counts);
    const open = fitting.filter(isOpen);
    const [found] = open.length > 0 ? open : fitting.slice(-1);
    // A code that fits two open things is none.
    if (!found || open.length > 1) return this.wrongCode(asked, room);
    const isLate = isOpen(found) && recordedAt >= found.endsAt;
    const payment = isOpen(found) && !isLate ? await this.actOn(found, asked, room, act) : found;
    crashPoint('transactions: code acted on');
    await this.codes.right(room, smsId, isOpen(payment) ? [] : [payment.id]);
    return isLate
      ? this.status(asked, { ...found, state: 'expired', closedBy: causeOf(asked) })
      : this.takenOrStatus(asked, payment);
  }

  private async actOn(
    found: ReadPayment,
    { smsId }: Asked,
    room: ReadRoom,
    act: (payment: ReadPayment) => Promise<Payment>,
  ): Promise<Payment> {
    try {
      return await act(found);
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
    const { things } = await this.codes.withOlder(await this.codes.roomOf(asked.from));
    const open = await this.payments.openOf(asked.from, things);
    if (open.length === 0) return answered({ type: 'nothing_open' });
    const entries = open.map((payment) => {
      const role = payment.payer.number === asked.from ? ('payer' as const) : ('payee' as const);
      const { amount, ref } = payment;
      const other = role === 'payer' ? payment.payee : payment.payer;
      const thing = things.find(({ id }) => role === 'payer' && id === payment.id);
      return { role, other, amount, ref, ...(thing ? { code: this.codes.seal(thing, answerEventOf(asked.smsId)) } : {}) };
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
