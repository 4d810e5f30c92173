import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import {
  type Cause,
  LookForOpenSms,
  MakeTransfer,
  type MinorUnits,
  type Msisdn,
  type PaymentId,
  payOf,
  type Ref,
  RefuseTransfer,
  Tell,
  type TransferAnswer,
  walletAccount,
} from '#libs/contracts';
import { RpcClient } from '#libs/messaging';
import { insertOrRead } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import { claimOf, Redrive } from '#libs/redrive';
import { crashPoint, Host, Lifecycle, log, Metrics, traceparent, Unavailable } from '#libs/runtime';
import type { Model } from 'mongoose';
import { CodesService, type ReadRoom } from './codes.service.ts';
import {
  decide,
  type Input,
  isOpen,
  type NotOpened,
  type Payment,
  type Question,
  reasonOf,
  type Tale,
  taleOfCode,
} from './domain/payment.ts';
import { eventOf } from './domain/tales.ts';
import type { Waiting } from './domain/waiting-room.ts';
import { paymentOf, PaymentRecord, type ReadPayment, type StoredPayment } from './payment.schema.ts';
import type { Settings } from './settings.ts';
import { markTold, storeUntold } from './untold.ts';

const RACES_MAX = 20;
const LISTED_MAX = 5;
/** Of what 0.2.0 opened the newest are looked for. */
const OLDER_MAX = 100;
const MINUTE_MS = 60_000;
/** Longer than telling takes; a crash is found again after it. */
const LEASE_MS = 10_000;
/** Payments of which one process tells at the same time. */
const AT_ONCE = 32;
/** What ends because its time is over waits so long for an SMS of its payer that is not understood yet, and looks again so often. */
const HEARD_WITHIN_MS = 60 * MINUTE_MS;
const LOOK_EVERY_MS = 10_000;
/** What was due so long ago, or failed so often, is stuck. */
const STUCK_MS = MINUTE_MS;
const STUCK_TRIES = 5;
const PUT_OFF_MAX_MS = 15 * MINUTE_MS;
/** Longer than an SMS is driven until it is given up (`Redrive`). */
const GIVEN_UP_MS = 24 * 60 * MINUTE_MS;
/** Where more are stuck, their number does not matter. */
const STUCK_COUNTED_MAX = 10_000;

/** The life of payments and requests: stored, found, changed by what the ledger says, told. */
@Injectable()
export class PaymentsService implements OnModuleInit {
  private readonly redrive: Redrive<StoredPayment>;
  private readonly endedTotal;
  private readonly seconds;

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
      canDrive: () => rpc.connected && clock.good,
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

  /** Stores what begins, with what its people are to be told. Throws `OtherIndexTaken` if its reference is taken. */
  async insert({ id, ...payment }: Payment | NotOpened, untold: Tale[]): Promise<void> {
    crashPoint('transactions: before a payment is stored');
    await this.redrive.begin(async (first) => {
      const { stored } = await insertOrRead(
        this.payments,
        {
          ...payment,
          _id: id,
          version: 0,
          ...(payment.state === 'awaiting_approval' ? { asker: payment.payee.number } : {}),
          untold,
          tries: 0,
          ...first,
          traceparent: traceparent(),
        } as StoredPayment,
        this.host,
      );
      crashPoint('transactions: payment stored');
      return stored;
    });
  }

  /** The payments among what waits or waited for a code, in the order in which they were opened. */
  async ofThings(things: readonly Pick<Waiting, 'id'>[]): Promise<ReadPayment[]> {
    return inOrder(await this.documentsOf(things));
  }

  /**
   * A room with what 0.2.0 opened, before this release or in a process beside it: there of what a code is computed stands in the payment alone. To be
   * deleted once no 0.2.0 is run any more. Of what ended before `at` nobody asks.
   */
  async withOlder(room: ReadRoom, at: Date): Promise<ReadRoom> {
    const since = new Date(Math.min(at.getTime(), this.clock.now().getTime()));
    const newest = await this.payments
      .find({ 'payer.number': room._id, endsAt: { $gt: since } })
      .sort({ endsAt: -1 })
      .limit(OLDER_MAX)
      .lean<StoredPayment[]>();
    const open = inOrder(newest).filter(isOpen);
    const older = open.map(({ id, origin: kind, endsAt: until, codeN, codeDigits }) => ({ id, kind, until, codeN, codeDigits }));
    return this.codes.admit(room, older);
  }

  /** Which of these wait no more. What is not stored is being opened yet, however late, unless its SMS was given up long ago. */
  async endedOf(things: readonly Waiting[]): Promise<string[]> {
    const stored = new Map((await this.documentsOf(things)).map((document) => [document._id as string, document]));
    const now = this.clock.now();
    const hasEnded = ({ id, until }: Waiting) => {
      const document = stored.get(id);
      const payment = document && paymentOf(document);
      if (!payment) return now.getTime() - until.getTime() > GIVEN_UP_MS;
      return payment.state === 'not_opened' || !isOpen(payment);
    };
    return things.filter(hasEnded).map(({ id }) => id);
  }

  /** What waits for a person or, asked by them, for another: the newest. */
  async openOf(number: Msisdn, things: readonly Waiting[]): Promise<ReadPayment[]> {
    const [held, asked] = await Promise.all([
      this.documentsOf(things.filter(({ over }) => !over)),
      this.payments.find({ asker: number }).sort({ endsAt: -1 }).limit(LISTED_MAX).lean<StoredPayment[]>(),
    ]);
    const now = this.clock.now();
    return inOrder([...held, ...asked])
      .filter((payment) => isOpen(payment) && payment.endsAt > now)
      .slice(-LISTED_MAX);
  }

  private async documentsOf(things: readonly Pick<Waiting, 'id'>[]): Promise<StoredPayment[]> {
    const ids = things.map(({ id }) => id as PaymentId);
    return ids.length === 0 ? [] : this.payments.find({ _id: { $in: ids } }).lean<StoredPayment[]>();
  }

  /** The payment of a reference. */
  async byRef(ref: Ref): Promise<ReadPayment | undefined> {
    const stored = await this.payments.findOne({ ref }).lean<StoredPayment>();
    return stored ? (paymentOf(stored) as ReadPayment) : undefined;
  }

  /** Applies one input to a payment as it was read. Whoever loses a race reads again and decides again. */
  async apply(read: ReadPayment, input: Input): Promise<Payment> {
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

      const open = isOpen(decision.payment);
      const change = {
        changes: decision.changes,
        untold: decision.untold,
        gone: open ? {} : ({ asker: 1 } as const),
        // The longer code comes behind the answer to the wrong one.
        later: next.type === 'code_guessed',
      };
      const stored = await storeUntold(this.payments, this.redrive, payment as StoredPayment, change, () =>
        crashPoint('transactions: change stored'),
      );
      if (stored) {
        if (!open) this.count(decision.payment);
        return decision.payment;
      }
      payment = paymentOf(await this.payments.findById(payment._id).orFail().lean<StoredPayment>()) as ReadPayment;
    }
    throw new Unavailable(`payment ${read.id}, raced for ${RACES_MAX} times,`);
  }

  private askLedger(payment: Payment, question: Question): Promise<TransferAnswer> {
    const transferId = payOf(payment.id);
    const payer = walletAccount(payment.payer.walletId);
    if (question.type === 'refuse_transfer')
      return this.rpc.ask(RefuseTransfer, { transferId, reason: question.reason, cause: question.cause, payer });
    return this.rpc.ask(MakeTransfer, {
      transferId,
      kind: 'payment',
      from: payer,
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
    return this.payments.countDocuments(
      {
        nextTryAt: { $lt: new Date(nowMs + PUT_OFF_MAX_MS) },
        $or: [
          { nextTryAt: { $lt: new Date(nowMs - STUCK_MS) } },
          { waits: { $gte: STUCK_TRIES } },
          { tries: { $gte: STUCK_TRIES } },
        ],
      },
      { limit: STUCK_COUNTED_MAX },
    );
  }

  /** Tells what is untold, or ends what has had its time. */
  private async drive(stored: StoredPayment): Promise<void> {
    const payment = paymentOf(stored);
    if (stored.untold.length > 0) return this.tell(stored, payment);
    if (payment.state === 'not_opened' || !isOpen(payment) || payment.refuseAt > this.clock.now()) return;
    if (await this.mayBeConfirmed(payment)) return this.refuseLater(stored);
    await this.apply(payment, { type: 'time_is_up', cause: `timer:${payment.id}`.slice(0, 100) as Cause });
  }

  // A code that came in time counts however late it is understood, whatever was away.
  private async mayBeConfirmed({ payer, openedAt, endsAt, refuseAt }: Payment): Promise<boolean> {
    if (this.clock.now().getTime() - refuseAt.getTime() > HEARD_WITHIN_MS) return false;
    return (await this.rpc.ask(LookForOpenSms, { number: payer.number, since: openedAt, before: endsAt })).found;
  }

  private async refuseLater(stored: StoredPayment): Promise<void> {
    const nextTryAt = new Date(this.clock.now().getTime() + LOOK_EVERY_MS);
    await this.payments.updateOne(claimOf(stored), { $set: { nextTryAt, waits: 0 }, $unset: { claim: 1 } });
  }

  private async tell(stored: StoredPayment, payment: Payment | NotOpened): Promise<void> {
    const patience = { codeMinutes: this.settings.CODE_MINUTES, requestHours: this.settings.REQUEST_HOURS };
    const code = await this.codeToTell(stored, payment);
    const events = stored.untold.flatMap((tale) => eventOf(payment, tale, patience, code) ?? []);
    crashPoint('transactions: before telling');
    if (events.length > 0) await this.rpc.ask(Tell, { events });
    crashPoint('transactions: told, not yet marked');
    await markTold(this.payments, stored, payment.state !== 'not_opened' && isOpen(payment) ? payment.refuseAt : undefined);
    crashPoint('transactions: marked told');
  }

  private async codeToTell({ untold }: StoredPayment, payment: Payment | NotOpened) {
    if (payment.state === 'not_opened' || !isOpen(payment) || !untold.includes(taleOfCode(payment))) return undefined;
    const room = await this.codes.roomOf(payment.payer.number);
    const thingIn = ({ things }: ReadRoom) => things.find(({ id }) => id === payment.id);
    const thing = thingIn(room) ?? thingIn(await this.withOlder(room, payment.openedAt));
    // Only where somebody took it away: nobody can confirm it, and it ends in its time.
    if (!thing) log.error({ paymentId: payment.id }, 'nothing is known of the code of a payment');
    return thing && { digits: thing.codeDigits, seal: (eventId: string) => this.codes.seal(thing, eventId) };
  }

  private count(payment: Payment): void {
    const reason = reasonOf(payment);
    this.endedTotal.inc({ state: payment.state, reason: reason ?? '' });
    this.seconds.observe({ state: payment.state }, (this.clock.now().getTime() - payment.openedAt.getTime()) / 1000);
    log.info({ paymentId: payment.id, state: payment.state, reason }, 'payment ended');
  }
}

/** Payments that were read, each once, in the order in which they were opened. */
function inOrder(stored: readonly StoredPayment[]): ReadPayment[] {
  const opened = stored.map(paymentOf).filter((payment): payment is ReadPayment => payment.state !== 'not_opened');
  const all = new Map(opened.map((payment) => [payment.id, payment]));
  return [...all.values()].sort((one, other) => one.openedAt.getTime() - other.openedAt.getTime());
}
