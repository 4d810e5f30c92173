import type {
  AccountId,
  Cause,
  Currency,
  Link,
  MinorUnits,
  Msisdn,
  PaymentId,
  Ref,
  TransferAnswer,
  TransferId,
  WalletId,
} from '#libs/contracts';
import { feesAccount, payOf, treasuryAccount, walletAccount } from '#libs/contracts';
import {
  creditHead,
  debitHead,
  feeHead,
  floorOf,
  type Heads,
  type LedgerSource,
  type Order,
  post,
  type PostedTransfer,
  type Side,
  signed,
  type TransferDocument,
} from '#libs/ledger';
import {
  decide,
  type Input,
  opened,
  type Payment,
  type Question,
  type Tale,
  termsOf,
} from '../../apps/transactions/src/domain/payment.ts';

export const KEYS = [{ id: 'k', key: Buffer.alloc(32, 1) }];
export const TIME_ZONE = 'Africa/Nairobi';
const KES = 'KES' as Currency;

/** A piece of work: each `yield` is a place at which others run, or at which its process dies. */
type Work<Result> = Generator<undefined, Result, undefined>;

interface Stored {
  payment: Payment;
  version: number;
  untold: Tale[];
}

/**
 * The rules of payments and of the ledger in a small world without a clock: a collection with its unique indexes, processes that read,
 * wait, write and die between any two of these, inputs that come twice, late and in any order. What is not done is driven again.
 */
export class World {
  readonly documents = new Map<TransferId, TransferDocument>();
  readonly payments = new Map<PaymentId, Stored>();
  /** What people were told, by the id of the text: the outbox. */
  readonly told = new Map<string, Tale>();
  deaths = 0;
  readonly #places = new Set<string>();
  readonly #random: () => number;
  #at = Date.UTC(2026, 0, 31, 20);

  constructor(random: () => number) {
    this.#random = random;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  /** A whole number from 0 to `below` - 1. */
  upTo(below: number): number {
    return Math.floor(this.#random() * below);
  }

  /** Runs work piece by piece in random order; now and then a process dies, and its work begins again from the start. */
  run(works: (() => Work<unknown>)[], deathRate: number): void {
    const running = works.map((begin) => ({ begin, work: begin() }));
    while (running.length > 0) {
      const index = this.upTo(running.length);
      const task = running[index];
      if (!task) continue;
      this.#at += this.upTo(100_000);
      if (this.#random() < deathRate) {
        this.deaths++;
        task.work = task.begin();
      } else if (task.work.next().done) running.splice(index, 1);
    }
  }

  /** Gives a wallet money from the treasury, before anything else happens. */
  fund(wallet: WalletId, amount: bigint, id: string): void {
    const order = this.#order({
      transferId: `fund:${id}` as TransferId,
      kind: 'top_up',
      from: treasuryAccount(KES),
      to: walletAccount(wallet),
      amount,
      fee: 0n,
      cause: 'operator:1' as Cause,
    });
    const work = this.#make(order);
    while (!work.next().done);
  }

  open(id: PaymentId, origin: 'pay' | 'request', payer: WalletId, payee: WalletId, amount: bigint, fee: bigint): void {
    const party = (walletId: WalletId) => ({
      walletId,
      number: '+254712000001' as Msisdn,
      link: '+254712000001:1' as Link,
      name: '',
      language: 'en' as const,
    });
    const at = new Date(this.#at);
    const { payment, untold } = opened({
      id,
      ref: this.payments.size as Ref,
      origin,
      way: 'direct',
      payer: party(payer),
      payee: party(payee),
      amount: amount as MinorUnits,
      fee: fee as MinorUnits,
      currency: KES,
      memo: '',
      openedAt: at,
      dropAt: at,
      endsAt: at,
      refuseAt: at,
      codeN: 0,
      codeDigits: 6,
    });
    this.payments.set(id, { payment, version: 0, untold });
  }

  /** What transactions does with one input. */
  *apply(id: PaymentId, input: Input): Work<void> {
    let next = input;
    for (;;) {
      const read = this.#read(id);
      yield;
      const decision = decide(read.payment, next);
      if (decision.result === 'unchanged') return;
      if (decision.result === 'ask') {
        next = { type: 'ledger_answered', answer: yield* this.#ask(read.payment, decision.question) };
        yield;
        continue;
      }
      // updateOne({ _id, version }): whoever loses reads again.
      if (this.#read(id).version === read.version) {
        this.payments.set(id, { payment: decision.payment, version: read.version + 1, untold: decision.untold });
        return;
      }
      yield;
    }
  }

  /** What redrive does: tells what is untold. */
  *tell(id: PaymentId): Work<void> {
    const read = this.#read(id);
    yield;
    for (const tale of read.untold) {
      if (!this.told.has(`${id}:${tale}`)) this.told.set(`${id}:${tale}`, tale);
      yield;
    }
    if (this.#read(id).version === read.version) this.payments.set(id, { ...read, version: read.version + 1, untold: [] });
  }

  balanceOf(account: AccountId): bigint {
    const sum = (side: Side) => this.#chain(side, account).at(-1)?.[side]?.total ?? 0n;
    return sum('credit') + sum('fee') - sum('debit');
  }

  /** The collection as `verify` walks it. */
  source(): LedgerSource {
    const all = [...this.documents.values()].sort((one, other) => (one._id < other._id ? -1 : 1));
    return {
      byId: () => asyncOf(all),
      bySide: (side) => {
        const legs = all.filter(
          (document): document is PostedTransfer => document.kind !== 'refused' && document[side] !== undefined,
        );
        const place = (transfer: PostedTransfer) => `${transfer[side]?.account} ${String(transfer[side]?.seq).padStart(9, '0')}`;
        return asyncOf(legs.sort((one, other) => (place(one) < place(other) ? -1 : 1)));
      },
    };
  }

  #read(id: PaymentId): Stored {
    const stored = this.payments.get(id);
    if (!stored) throw new Error(`no payment ${id}`);
    return stored;
  }

  *#ask(payment: Payment, question: Question): Work<TransferAnswer> {
    const { id, payer, payee, amount, fee, ref } = termsOf(payment);
    const transferId = payOf(id);
    const { cause } = question;
    const document: TransferDocument =
      question.type === 'make_transfer'
        ? yield* this.#make(
            this.#order({
              transferId,
              kind: 'payment',
              from: walletAccount(payer.walletId),
              to: walletAccount(payee.walletId),
              amount,
              fee,
              paymentId: id,
              ref,
              cause,
            }),
          )
        : yield* this.#write(transferId, () => ({
            _id: transferId,
            kind: 'refused',
            reason: question.reason,
            cause,
            at: new Date(this.#at),
          }));
    if (document.kind === 'refused') return { result: 'refused', reason: document.reason, cause: document.cause };
    return {
      result: 'made',
      kind: document.kind,
      cause: document.cause,
      payerBalance: this.balanceOf(document.debit.account),
      payeeBalance: this.balanceOf(document.credit.account),
    };
  }

  #order(order: Omit<Order, 'amount' | 'fee' | 'currency' | 'memo' | 'at'> & { amount: bigint; fee: bigint }): Omit<Order, 'at'> {
    return { ...order, amount: order.amount as MinorUnits, fee: order.fee as MinorUnits, currency: KES, memo: '' };
  }

  *#make(order: Omit<Order, 'at'>): Work<TransferDocument> {
    let heads = this.#heads(order);
    // Heads may be as old as one likes: then the insert fails, and they are read again.
    yield;
    return yield* this.#write(order.transferId, (again) => {
      if (again) heads = this.#heads(order);
      const rules = { floor: floorOf(order.from), timeZone: TIME_ZONE };
      const at = new Date(this.#at);
      const first = post({ ...order, at }, heads, rules);
      const decided =
        first.result === 'posted' ? first : post({ ...order, at }, { ...this.#heads(order), debit: heads.debit }, rules);
      return decided.result === 'posted'
        ? signed(decided.transfer, KEYS)
        : { _id: order.transferId, kind: 'refused', reason: decided.reason, cause: order.cause, at };
    });
  }

  *#write(id: TransferId, decideOn: (again: boolean) => TransferDocument): Work<TransferDocument> {
    for (let again = false; ; again = true) {
      const stored = this.documents.get(id);
      if (stored) return stored;
      yield;
      const document = decideOn(again);
      yield;
      if (this.#insert(document)) {
        // The reply to the insert can be lost: then all of it is done again, and finds this.
        yield;
        return document;
      }
    }
  }

  /** One insert with its unique indexes. */
  #insert(document: TransferDocument): boolean {
    const places =
      document.kind === 'refused'
        ? []
        : (['debit', 'credit', 'fee'] as const).flatMap((side) =>
            document[side] ? [`${side} ${document[side].account} ${document[side].seq}`] : [],
          );
    if (this.documents.has(document._id) || places.some((place) => this.#places.has(place))) return false;
    this.documents.set(document._id, document);
    for (const place of places) this.#places.add(place);
    return true;
  }

  #heads({ from, to, fee, currency }: Omit<Order, 'at'>): Heads {
    const newest = (side: Side, account: AccountId) => this.#chain(side, account).at(-1);
    const fees = feesAccount(currency);
    return {
      debit: debitHead(from, newest('debit', from)),
      credit: creditHead(to, newest('credit', to)),
      ...(fee > 0n && { fee: feeHead(fees, newest('fee', fees)) }),
      credits: newest('credit', from)?.credit.total ?? 0n,
    };
  }

  #chain(side: Side, account: AccountId): PostedTransfer[] {
    return [...this.documents.values()]
      .filter((document): document is PostedTransfer => document.kind !== 'refused' && document[side]?.account === account)
      .sort((one, other) => (one[side]?.seq ?? 0) - (other[side]?.seq ?? 0));
  }
}

async function* asyncOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
