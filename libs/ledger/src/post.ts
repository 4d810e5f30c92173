import {
  type AccountId,
  type Cause,
  type Currency,
  feesAccount,
  type MinorUnits,
  type PaymentId,
  type Ref,
} from '#libs/contracts';
import type { RefusalReason, TransferId, TransferKind } from '#libs/contracts';
import type { Rules } from './rules.ts';
import { dayOf, monthOf } from './time.ts';
import type { CreditLeg, DebitLeg, FeeLeg, Head, PostedTransfer } from './transfer.ts';

/** What somebody wants to move, once. The payer bears the fee, on top of the amount. */
export interface Order {
  transferId: TransferId;
  kind: TransferKind;
  from: AccountId;
  to: AccountId;
  amount: MinorUnits;
  fee: MinorUnits;
  currency: Currency;
  paymentId?: PaymentId;
  ref?: Ref;
  memo: string;
  cause: Cause;
  /** When it is decided. */
  at: Date;
}

/** The chains that an order goes on, as they stand. */
export interface Heads {
  debit: Head<DebitLeg>;
  credit: Head<CreditLeg>;
  /** Of the fees account; needed where the order has a fee. */
  fee?: Head<FeeLeg>;
  /** All ever credited to the account that is debited, over all its income chains. Older than `debit` is safe, it only grows. */
  credits: bigint;
}

/** The document to insert, still to be signed. */
export interface Posting {
  result: 'posted';
  transfer: Omit<PostedTransfer, 'hash'>;
}

export interface Refusal {
  result: 'refused';
  reason: RefusalReason;
}

/** BSON's int64; past it the database would store another number. */
const TOTAL_MAX = 2n ** 63n - 1n;

/**
 * Decides one order against the heads of its chains. Stale heads make the insert fail; then read and post again. Throws on what cannot be:
 * an order that is no transfer, heads that are not this order's or contradict themselves.
 */
export function post(order: Order, heads: Heads, rules: Rules): Posting | Refusal {
  assertTransfer(order);
  assertHeads(order, heads);
  const { debit, credit } = heads;
  if (debit.frozen) return { result: 'refused', reason: 'frozen' };
  const debited = debit.total + order.amount + order.fee;
  if (rules.floor !== undefined && heads.credits - debited < rules.floor)
    return { result: 'refused', reason: 'insufficient_funds' };

  // Days and months are counted by `at`: a clock that lags behind the chain's last writer must not open yesterday again.
  const at = order.at > debit.at ? order.at : debit.at;
  const sameDay = dayOf(at, rules.timeZone) === dayOf(debit.at, rules.timeZone);
  const sameMonth = monthOf(at, rules.timeZone) === monthOf(debit.at, rules.timeZone);
  return {
    result: 'posted',
    transfer: {
      _id: order.transferId,
      kind: order.kind,
      currency: order.currency,
      amount: order.amount,
      debit: {
        account: order.from,
        seq: debit.seq + 1,
        total: grown(debit.total, order.amount + order.fee),
        dayTotal: sameDay ? debit.dayTotal : debit.total,
        monthTotal: sameMonth ? debit.monthTotal : debit.total,
        frozen: debit.frozen,
        tier: debit.tier,
        prev: debit.hash,
      },
      credit: {
        account: order.to,
        lane: credit.lane,
        seq: credit.seq + 1,
        total: grown(credit.total, order.amount),
        tier: credit.tier,
        prev: credit.hash,
      },
      ...(order.fee > 0n && { fee: feeLeg(order, heads) }),
      ...(order.paymentId !== undefined && { paymentId: order.paymentId }),
      ...(order.ref !== undefined && { ref: order.ref }),
      cause: order.cause,
      memo: order.memo,
      at,
    },
  };
}

function feeLeg(order: Order, { fee }: Heads): FeeLeg {
  assert(fee !== undefined, order, 'has a fee, but no head of the fees account');
  return {
    account: fee.account,
    lane: fee.lane,
    seq: fee.seq + 1,
    total: grown(fee.total, order.fee),
    amount: order.fee,
    prev: fee.hash,
  };
}

function grown(total: bigint, amount: bigint): bigint {
  const sum = total + amount;
  if (amount < 0n || sum > TOTAL_MAX) throw new Error(`a total of ${total} cannot grow by ${amount}`);
  return sum;
}

function assertTransfer(order: Order): void {
  assert(order.from !== order.to, order, `goes from ${order.from} to itself`);
  assert(order.amount > 0n, order, `moves ${order.amount}`);
  assert(order.fee >= 0n, order, `has a fee of ${order.fee}`);
}

function assertHeads(order: Order, { debit, credit, fee, credits }: Heads): void {
  assert(
    debit.account === order.from && credit.account === order.to,
    order,
    `got the heads of ${debit.account} and ${credit.account}`,
  );
  assert(!fee || fee.account === feesAccount(order.currency), order, `got the head of ${fee?.account} for its fee`);
  assert(debit.monthTotal <= debit.dayTotal && debit.dayTotal <= debit.total, order, `${order.from}: totals of day and month`);
  assert(credits >= 0n, order, `${order.from}: credits of ${credits}`);
  for (const head of [debit, credit, ...(fee ? [fee] : [])]) {
    const first = head.seq === 0;
    assert(Number.isSafeInteger(head.seq) && head.seq >= 0, order, `${head.account}: a seq of ${head.seq}`);
    assert(
      head.total >= 0n && (!first || head.total === 0n),
      order,
      `${head.account}: a total of ${head.total} at seq ${head.seq}`,
    );
    assert(first === (head.hash === ''), order, `${head.account}: a hash of "${head.hash}" at seq ${head.seq}`);
    assert(first || head.currency === order.currency, order, `${head.account}: holds ${head.currency}, got ${order.currency}`);
  }
}

function assert(holds: boolean, order: Order, what: string): asserts holds {
  if (!holds) throw new Error(`transfer ${order.transferId} ${what}`);
}
