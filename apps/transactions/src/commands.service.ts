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
import { CodesService } from './codes.service.ts';
import { isOpen, type Payment, reasonOf, statusOf } from './domain/payment.ts';
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

  /** Finds what `code` belongs to among the payer's open things and those of the last day, and lets `act` decide on the open one. */
  private async byCode(asked: Asked, code: Secret, act: (payment: ReadPayment) => Promise<Payment>): Promise<Answer> {
    const { smsId, from, recordedAt } = asked;
    const hasTicket = await this.codes.takeTicket(smsId, from, recordedAt);
    const mine = await this.payments.withCodesOf(from);
    const counts = (payment: Payment) => hasTicket || payment.codeDigits === 9 || !isOpen(payment);
    const fitting = mine.filter((payment) => counts(payment) && this.codes.fits(payment, code));
    const open = fitting.filter((payment) => isOpen(payment));
    const [found] = open.length > 0 ? open : fitting.slice(-1);
    // A code that fits two open things is none.
    if (!found || open.length > 1) return this.wrongCode(asked, mine.filter(isOpen));
    try {
      const outcome = await this.actOn(found, asked, act);
      await this.codes.giveBackTicket(smsId);
      return outcome;
    } catch (error) {
      await this.codes.holdTicket(smsId).catch(() => undefined);
      throw error;
    }
  }

  private async actOn(found: ReadPayment, asked: Asked, act: (payment: ReadPayment) => Promise<Payment>): Promise<Answer> {
    if (!isOpen(found)) return this.takenOrStatus(asked, found);
    if (asked.recordedAt >= found.endsAt) return this.status(asked, { ...found, state: 'expired', closedBy: causeOf(asked) });
    return this.takenOrStatus(asked, await act(found));
  }

  /** Counts it. Where codes are being guessed, each open one is told once more, with nine digits. */
  private async wrongCode({ smsId, from, recordedAt }: Asked, open: ReadPayment[]): Promise<Answer> {
    if (await this.codes.wrong(smsId, from, recordedAt)) {
      for (const payment of open) {
        crashPoint('transactions: before a code is made longer');
        await this.payments.apply(payment, { type: 'code_guessed' });
      }
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
    const open = await this.payments.openOf(asked.from);
    if (open.length === 0) return answered({ type: 'nothing_open' });
    const entries = open.map((payment) => {
      const role = payment.payer.number === asked.from ? ('payer' as const) : ('payee' as const);
      const { amount, ref } = payment;
      const other = role === 'payer' ? payment.payee : payment.payer;
      return role === 'payer'
        ? { role, other, amount, ref, code: this.codes.seal(payment, answerEventOf(asked.smsId)) }
        : { role, other, amount, ref };
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
    return answered({ type: 'status', role, other, amount, ref, status: statusOf(payment), ...(reason ? { reason } : {}) });
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
