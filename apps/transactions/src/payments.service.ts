import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import {
  answerOf,
  type CarryOut,
  type Cause,
  MakeTransfer,
  type Message,
  type MinorUnits,
  type OpenRefusal,
  payOf,
  type PaymentCommand,
  type PaymentId,
  QuoteTransfer,
  type Ref,
  refText,
  RefuseTransfer,
  type RequestOf,
  type ResponseOf,
  Tell,
  type TransferAnswer,
  walletAccount,
} from '#libs/contracts';
import { RpcClient } from '#libs/messaging';
import { claimOf, type FirstTry, Redrive } from '#libs/redrive';
import { crashPoint, Host, Lifecycle, log, Metrics, type Secret, traceparent } from '#libs/runtime';
import { insertOrRead, OtherIndexTaken } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { CodesService } from './codes.service.ts';
import { refusalOfOpening, slotsOf } from './domain/opening.ts';
import {
  decide,
  type Input,
  isOpen,
  type NotOpened,
  opened,
  type Payment,
  type Question,
  reasonOf,
  statusOf,
  type Tale,
  type Terms,
} from './domain/payment.ts';
import { eventOf } from './domain/tales.ts';
import { paymentOf, PaymentRecord, type ReadPayment, type StoredPayment } from './payment.schema.ts';
import type { Settings } from './settings.ts';

const RACES_MAX = 20;
const REFS_MAX = 20;
const LISTED_MAX = 5;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Longer than telling takes; a crash is found again after it. */
const LEASE_MS = 10_000;
/** Payments of which one process tells at the same time. */
const AT_ONCE = 32;
/** A timer that comes so late was held up, and so were codes. */
const HELD_UP_MS = 5_000;
/** What waits for what was away is understood within this of its return. */
const UNDERSTOOD_WITHIN_MS = MINUTE_MS;
/** What was due so long ago, or failed so often, is stuck. */
const STUCK_MS = MINUTE_MS;
const STUCK_TRIES = 5;
const PUT_OFF_MAX_MS = 15 * MINUTE_MS;

type Command<Type extends PaymentCommand['type']> = Extract<PaymentCommand, { type: Type }>;
type Asked = RequestOf<typeof CarryOut>;
type Answer = ResponseOf<typeof CarryOut>;
const TAKEN: Answer = { result: 'taken' };

/** The life of payments and requests: load, decide, store, tell. */
@Injectable()
export class PaymentsService implements OnModuleInit {
  private readonly redrive: Redrive<StoredPayment>;
  private readonly endedTotal;
  private readonly seconds;
  /** When something that codes need was away last, as far as this process knows; before it began, it may have been. */
  private awayAtMs: number;

  constructor(
    @InjectModel(PaymentRecord.name) private readonly payments: Model<StoredPayment>,
    private readonly codes: CodesService,
    private readonly rpc: RpcClient,
    private readonly clock: Clock,
    private readonly host: Host,
    metrics: Metrics,
    lifecycle: Lifecycle,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.awayAtMs = host.monotonicMs();
    this.endedTotal = metrics.counter('smspay_payments_total', 'Payments and requests by how they ended', ['state', 'reason']);
    this.seconds = metrics.histogram(
      'smspay_payment_seconds',
      'From the opening of a payment to its end',
      ['state'],
      [1, 3, 10, 30, 100, 300, 1_000, 3_600, 86_400],
    );
    // Money may have moved: it is driven for ever.
    this.redrive = new Redrive({
      model: payments,
      what: 'payment',
      drive: (stored) => this.drive(stored),
      leaseMs: LEASE_MS,
      atOnce: AT_ONCE,
      givesUp: false,
      canDrive: () => {
        const can = rpc.connected && clock.good;
        if (!can) this.awayAtMs = host.monotonicMs();
        return can;
      },
      lifecycle,
      clock,
      host,
      metrics,
    });
    metrics.gauge(
      'smspay_payments_stuck',
      'Payments due for a minute, or failing again and again: untold, or their end undecided',
      () => this.stuck(),
    );
  }

  onModuleInit(): void {
    this.redrive.start();
  }

  /** Carries out one command of one SMS; the same SMS again finds what it did before. */
  async carryOut(asked: Asked): Promise<Answer> {
    this.clock.assertGood();
    const { command } = asked;
    switch (command.type) {
      case 'pay':
      case 'request':
        return this.open(asked, command);
      case 'code':
        return this.byCode(asked, this.codes.open(command.code, asked.smsId), (payment) => this.confirm(payment, causeOf(asked)));
      case 'no':
        return this.no(asked, command);
      case 'status': {
        const payment = await this.ofPerson(asked, command.ref);
        return payment ? this.status(asked, payment) : answer({ type: 'ref_unknown', ref: refText(command.ref) });
      }
      default:
        return command satisfies never;
    }
  }

  private async open(asked: Asked, command: Command<'pay'> | Command<'request'>): Promise<Answer> {
    const { smsId, from, language } = asked;
    const [payer, payee] = command.type === 'pay' ? [from, command.to] : [command.to, from];
    const [quote, mine] = await Promise.all([
      this.rpc.ask(QuoteTransfer, { payer, payee, amount: command.amount }),
      this.withCodesOf(payer),
    ]);
    const id = smsId as string as PaymentId;
    const reason = refusalOfOpening(command, from, quote);
    const openedAt = this.clock.now();
    const refuse = async (why: OpenRefusal): Promise<Answer> => {
      const other = command.type === 'pay' ? quote.payee : quote.payer;
      const own = command.type === 'pay' ? quote.payer : quote.payee;
      const notOpened: NotOpened = {
        id,
        state: 'not_opened',
        origin: command.type,
        opener: { number: from, language, ...(own ? { link: own.link } : {}) },
        other: { number: command.to, name: other?.name ?? '' },
        amount: command.amount,
        fee: quote.fee,
        balance: command.type === 'pay' ? quote.payerBalance : 0n,
        currency: quote.currency,
        reason: why,
        openedAt,
      };
      await this.insert(notOpened, ['not_opened']);
      return TAKEN;
    };
    if (reason || !quote.payer || !quote.payee) return refuse(reason ?? 'no_wallet');

    const lifeMs = command.type === 'pay' ? this.settings.CODE_MINUTES * MINUTE_MS : this.settings.REQUEST_HOURS * 60 * MINUTE_MS;
    const codeMs = this.settings.CODE_MINUTES * MINUTE_MS;
    const terms: Omit<Terms, 'ref'> = {
      id,
      origin: command.type,
      way: 'direct',
      payer: quote.payer,
      payee: quote.payee,
      amount: command.amount,
      fee: quote.fee,
      currency: quote.currency,
      memo: command.memo,
      openedAt,
      dropAt: new Date(openedAt.getTime() + lifeMs),
      endsAt: new Date(openedAt.getTime() + lifeMs + codeMs),
      refuseAt: new Date(openedAt.getTime() + lifeMs + 2 * codeMs),
      ...(await this.codes.forNew(
        id,
        payer,
        mine.filter((other) => other.id !== id),
      )),
    };
    const slots = slotsOf(payer, command.type).filter((slot) => !mine.some((other) => other.slot === slot && other.id !== id));
    for (let draw = 0; draw < REFS_MAX; draw++) {
      const [slot] = slots;
      if (slot === undefined) return refuse('too_many_open');
      const first = opened({ ...terms, ref: this.host.randomBytes(4).readUInt32BE() as Ref });
      try {
        await this.insert(first.payment, first.untold, slot);
        return TAKEN;
      } catch (error) {
        if (!(error instanceof OtherIndexTaken)) throw error;
        if (error.isOf('slot')) slots.shift();
      }
    }
    throw new Error(`no free reference in ${REFS_MAX} draws`);
  }

  private async insert({ id, ...payment }: Payment | NotOpened, untold: Tale[], slot?: string): Promise<void> {
    crashPoint('transactions: before a payment is stored');
    await this.redrive.begin(async (first) => {
      const { inserted, stored } = await insertOrRead(
        this.payments,
        {
          ...payment,
          _id: id,
          version: 0,
          ...(slot === undefined ? {} : { slot }),
          untold,
          tries: 0,
          ...first,
          traceparent: traceparent(),
        } as StoredPayment,
        this.host,
      );
      crashPoint('transactions: payment stored');
      return inserted ? stored : undefined;
    });
  }

  /** Finds what `code` belongs to among the payer's open things and those of the last day, and lets `act` decide on the open one. */
  private async byCode(asked: Asked, code: Secret, act: (payment: ReadPayment) => Promise<Payment>): Promise<Answer> {
    const { smsId, from, recordedAt } = asked;
    const hasTicket = await this.codes.takeTicket(smsId, from, recordedAt);
    const mine = await this.withCodesOf(from);
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

  /** The payment is confirmed. What the ledger cannot be asked now is asked when this SMS is driven again, or by the timer. */
  private async confirm(payment: ReadPayment, cause: Cause): Promise<Payment> {
    try {
      return await this.apply(payment, { type: 'right_code', cause });
    } catch (error) {
      this.awayAtMs = this.host.monotonicMs();
      const { _id, version } = payment;
      await this.payments
        .updateOne({ _id, version }, { $set: { confirmedBy: cause, version: version + 1 } })
        .catch(() => undefined);
      throw error;
    }
  }

  private async actOn(found: ReadPayment, asked: Asked, act: (payment: ReadPayment) => Promise<Payment>): Promise<Answer> {
    if (!isOpen(found)) return this.outcome(asked, found);
    if (asked.recordedAt >= found.endsAt) return this.status(asked, { ...found, state: 'expired', closedBy: causeOf(asked) });
    return this.outcome(asked, await act(found));
  }

  /** Counts it. Where codes are being guessed, each open one is told once more, with nine digits. */
  private async wrongCode({ smsId, from, recordedAt }: Asked, open: ReadPayment[]): Promise<Answer> {
    if (await this.codes.wrong(smsId, from, recordedAt)) {
      for (const payment of open) {
        crashPoint('transactions: before a code is made longer');
        await this.apply(payment, { type: 'code_guessed' });
      }
    }
    return answer({ type: 'wrong_code' });
  }

  private async no(asked: Asked, { of }: Command<'no'>): Promise<Answer> {
    const cause = causeOf(asked);
    switch (of?.by) {
      case 'code':
        return this.byCode(asked, this.codes.open(of.code, asked.smsId), (payment) =>
          this.apply(payment, { type: 'no', by: 'payer', cause }),
        );
      case 'ref': {
        const payment = await this.ofPerson(asked, of.ref);
        if (!payment) return answer({ type: 'ref_unknown', ref: refText(of.ref) });
        // Only one's own request is withdrawn by its reference; all else needs the code.
        const own = payment.origin === 'request' && payment.payee.number === asked.from;
        return own && isOpen(payment)
          ? this.outcome(asked, await this.apply(payment, { type: 'no', by: 'payee', cause }))
          : this.outcome(asked, payment);
      }
      case undefined:
        return this.listOpen(asked);
      default:
        return of satisfies never;
    }
  }

  private async listOpen(asked: Asked): Promise<Answer> {
    const endsAt = { $gt: this.clock.now() };
    const stored = await this.payments
      .find({
        $or: [
          { 'payer.number': asked.from, endsAt },
          { 'payee.number': asked.from, origin: 'request', endsAt },
        ],
      })
      .lean<StoredPayment[]>();
    const payments = stored
      .map((document) => paymentOf(document) as ReadPayment)
      .filter(isOpen)
      .slice(-LISTED_MAX);
    if (payments.length === 0) return answer({ type: 'nothing_open' });
    const entries = payments.map((payment) => {
      const role = payment.payer.number === asked.from ? ('payer' as const) : ('payee' as const);
      const { amount, ref } = payment;
      const other = role === 'payer' ? payment.payee : payment.payer;
      return role === 'payer'
        ? { role, other, amount, ref, code: this.codes.seal(payment, answerOf(asked.smsId)) }
        : { role, other, amount, ref };
    });
    return answer({ type: 'open_list', entries });
  }

  /** `taken` to the SMS that closed the payment (its people are told from here); its outcome to any other. */
  private outcome(asked: Asked, payment: Payment): Answer {
    return 'closedBy' in payment && payment.closedBy === causeOf(asked) ? TAKEN : this.status(asked, payment);
  }

  private status(asked: Asked, payment: Payment): Answer {
    const role = payment.payer.number === asked.from ? 'payer' : 'payee';
    const { amount, ref } = payment;
    const reason = reasonOf(payment);
    const other = role === 'payer' ? payment.payee : payment.payer;
    return answer({ type: 'status', role, other, amount, ref, status: statusOf(payment), ...(reason ? { reason } : {}) });
  }

  /** What of a person's has a code: what is open, and what ended in the last day. */
  private async withCodesOf(number: string): Promise<ReadPayment[]> {
    const stored = await this.payments
      .find({ 'payer.number': number, endsAt: { $gt: new Date(this.clock.now().getTime() - DAY_MS) } })
      .lean<StoredPayment[]>();
    return stored.map((document) => paymentOf(document) as ReadPayment);
  }

  /** The payment of this reference, if the asker has a part in it that they know of. */
  private async ofPerson(asked: Asked, ref: Ref): Promise<ReadPayment | undefined> {
    const stored = await this.payments.findOne({ ref }).lean<StoredPayment>();
    if (!stored) return undefined;
    const payment = paymentOf(stored) as ReadPayment;
    const knows =
      payment.payer.number === asked.from ||
      (payment.payee.number === asked.from && (payment.origin === 'request' || payment.state === 'completed'));
    return knows ? payment : undefined;
  }

  /** Applies one input to a payment as it was read. Whoever loses a race reads again and decides again. */
  private async apply(read: ReadPayment, input: Input): Promise<Payment> {
    let payment = read;
    let next = input;
    for (let race = 0; race < RACES_MAX; race++) {
      const decision = decide(payment, next);
      if (decision.result === 'unchanged') return payment;
      if (decision.result === 'ask') {
        crashPoint('transactions: before the ledger is asked');
        next = { type: 'ledger_answered', answer: await this.askLedger(payment, decision.question) };
        crashPoint('transactions: ledger answered');
        continue;
      }

      const { _id, version } = payment;
      const open = isOpen(decision.payment);
      const change = {
        ...decision.changes,
        // What is untold already is still to be told.
        untold: [...new Set([...payment.untold, ...decision.untold])],
        version: version + 1,
        // The outcome goes on in the trace of the SMS that caused it.
        traceparent: traceparent(),
        tries: 0,
        waits: 0,
      };
      const read = payment;
      let isStored = false;
      const store = async (first: FirstTry) => {
        const { modifiedCount } = await this.payments.updateOne(
          { _id, version },
          {
            $set: { ...change, ...first },
            $unset: { ...(open ? {} : { slot: 1 }), ...(first.claim ? {} : { claim: 1 }), failingSince: 1 },
          },
        );
        crashPoint('transactions: outcome stored');
        isStored = modifiedCount === 1;
        return isStored ? ({ ...read, ...change, ...first } as StoredPayment) : undefined;
      };
      // The longer code comes behind the answer to the wrong one.
      if (next.type === 'code_guessed') await store(this.redrive.later());
      else await this.redrive.begin(store);
      if (isStored) {
        if (!open) this.count(decision.payment);
        return decision.payment;
      }
      payment = paymentOf(await this.payments.findById(_id).orFail().lean<StoredPayment>()) as ReadPayment;
    }
    throw new Error(`payment ${read.id}: ${RACES_MAX} races lost for one input`);
  }

  private askLedger(payment: Payment, question: Question): Promise<TransferAnswer> {
    const transferId = payOf(payment.id);
    if (question.type === 'refuse_transfer')
      return this.rpc.ask(RefuseTransfer, { transferId, reason: question.reason, cause: question.cause });
    return this.rpc.ask(MakeTransfer, {
      transferId,
      kind: 'payment',
      from: walletAccount(payment.payer.walletId),
      to: walletAccount(payment.payee.walletId),
      amount: payment.amount,
      fee: payment.fee as MinorUnits,
      currency: payment.currency,
      paymentId: payment.id,
      ref: payment.ref,
      memo: payment.memo,
      cause: question.cause,
    });
  }

  // What is open is looked at when its time is up; what was put off, within fifteen minutes.
  private stuck(): Promise<number> {
    const nowMs = this.clock.now().getTime();
    return this.payments.countDocuments({
      nextTryAt: { $lt: new Date(nowMs + PUT_OFF_MAX_MS) },
      $or: [
        { nextTryAt: { $lt: new Date(nowMs - STUCK_MS) } },
        { waits: { $gte: STUCK_TRIES } },
        { tries: { $gte: STUCK_TRIES } },
      ],
    });
  }

  /** Tells what is untold, or ends what has had its time. */
  private async drive(stored: StoredPayment): Promise<void> {
    const payment = paymentOf(stored);
    if (stored.untold.length > 0) return this.tell(stored, payment);
    if (payment.state === 'not_opened' || !isOpen(payment) || payment.refuseAt > this.clock.now()) return;
    const isHeldUp = this.clock.now().getTime() - payment.refuseAt.getTime() > HELD_UP_MS;
    if (isHeldUp || this.host.monotonicMs() - this.awayAtMs < UNDERSTOOD_WITHIN_MS) return this.refuseLater(stored);
    await this.apply(payment, { type: 'time_is_up', cause: `timer:${payment.id}`.slice(0, 100) as Cause });
  }

  // Something was away, and a code that came in time may still wait for it.
  private async refuseLater(stored: StoredPayment): Promise<void> {
    const refuseAt = new Date(this.clock.now().getTime() + UNDERSTOOD_WITHIN_MS);
    await this.payments.updateOne(
      { ...claimOf(stored), version: stored.version },
      { $set: { refuseAt, nextTryAt: refuseAt, version: stored.version + 1, waits: 0 }, $unset: { claim: 1 } },
    );
  }

  private async tell(stored: StoredPayment, payment: Payment | NotOpened): Promise<void> {
    const patience = { codeMinutes: this.settings.CODE_MINUTES, requestHours: this.settings.REQUEST_HOURS };
    const events = stored.untold.flatMap(
      (tale) => eventOf(payment, tale, patience, (of, eventId) => this.codes.seal(of, eventId)) ?? [],
    );
    crashPoint('transactions: before telling');
    if (events.length > 0) await this.rpc.ask(Tell, { events });
    crashPoint('transactions: told, not yet marked');
    const open = payment.state !== 'not_opened' && isOpen(payment);
    await this.payments.updateOne(
      { ...claimOf(stored), version: stored.version },
      {
        $set: { untold: [], version: stored.version + 1, tries: 0, waits: 0, ...(open ? { nextTryAt: payment.refuseAt } : {}) },
        $unset: { claim: 1, failingSince: 1, ...(open ? {} : { nextTryAt: 1 }) },
      },
    );
    crashPoint('transactions: marked told');
  }

  private count(payment: Payment): void {
    const reason = reasonOf(payment);
    this.endedTotal.inc({ state: payment.state, reason: reason ?? '' });
    this.seconds.observe({ state: payment.state }, (this.clock.now().getTime() - payment.openedAt.getTime()) / 1000);
    log.info({ paymentId: payment.id, state: payment.state, reason }, 'payment ended');
  }
}

const answer = (message: Message): Answer => ({ result: 'answer', message });

const causeOf = (asked: Asked) => asked.smsId as string as Cause;
