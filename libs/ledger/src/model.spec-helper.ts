import { createSecretKey } from 'node:crypto';
import type { AccountId } from '#libs/contracts';
import { signed } from './hash.ts';
import { type Heads, type Order, post } from './post.ts';
import { floorOf } from './rules.ts';
import { ledgerOf } from './source.ts';
import {
  type Chain,
  creditChain,
  creditHead,
  debitChain,
  debitHead,
  FEE_LANES,
  feeChain,
  feeHead,
  incomeChains,
  type PostedTransfer,
  totalOf,
  type TransferDocument,
} from './transfer.ts';
import type { LedgerSource } from './verify.ts';

export const KEYS = [{ id: 'k1', key: createSecretKey(Buffer.alloc(32, 1)) }];
export const TIME_ZONE = 'Africa/Nairobi';

/** The slow and obvious twin: what happened, as a list, and every question answered by adding up all of it. */
export class Model {
  readonly moves: { from: AccountId; to: AccountId; amount: bigint; fee: bigint; at: Date }[] = [];

  /** Decides an order as the ledger should. */
  decide(order: Order): 'posted' | 'insufficient_funds' {
    const short = this.balanceOf(order.from) < order.amount + order.fee;
    if (short && !order.from.startsWith('treasury:')) return 'insufficient_funds';
    const { from, to, amount, fee } = order;
    const latest = this.moves.filter((move) => move.from === from).map((move) => move.at.getTime());
    this.moves.push({ from, to, amount, fee, at: new Date(Math.max(order.at.getTime(), ...latest)) });
    return 'posted';
  }

  balanceOf(account: AccountId): bigint {
    return this.moves.reduce((balance, { from, to, amount, fee }) => {
      const paid = from === account ? amount + fee : 0n;
      const got = (to === account ? amount : 0n) + (account === 'fees:KES' ? fee : 0n);
      return balance + got - paid;
    }, 0n);
  }

  /** What left an account on days (or in months) for which `isBefore` holds: those before the one in question. */
  debitedBefore(account: AccountId, isBefore: (at: Date) => boolean): bigint {
    return this.moves.reduce(
      (sum, { from, amount, fee, at }) => (from === account && isBefore(at) ? sum + amount + fee : sum),
      0n,
    );
  }
}

/** The collection, in memory: what stands in for it where a spec is about rules. */
export class Collection implements LedgerSource {
  constructor(readonly documents: TransferDocument[] = []) {}

  posted(): PostedTransfer[] {
    return this.documents.filter((document) => document.kind !== 'refused');
  }

  newestOf({ side, account, lane }: Chain): PostedTransfer | undefined {
    return this.posted().findLast(
      (transfer) => transfer[side]?.account === account && (side === 'debit' || transfer[side]?.lane === lane),
    );
  }

  headsFor({ from, to, currency }: Pick<Order, 'from' | 'to' | 'currency'>): Heads {
    const fees = feeChain(`fees:${currency}` as AccountId, this.documents.length % FEE_LANES);
    return {
      debit: debitHead(from, this.newestOf(debitChain(from))),
      credit: creditHead(to, this.newestOf(creditChain(to))),
      fee: feeHead(fees, this.newestOf(fees)),
      credits: incomeChains(from).reduce((sum, chain) => sum + totalOf(chain, this.newestOf(chain)), 0n),
    };
  }

  /** Posts an order and stores what came of it. */
  take(order: Order): 'posted' | 'insufficient_funds' | 'frozen' {
    const decision = post(order, this.headsFor(order), { floor: floorOf(order.from), timeZone: TIME_ZONE });
    if (decision.result === 'posted') {
      this.documents.push(signed(decision.transfer, KEYS));
      return 'posted';
    }
    const { transferId, cause, at } = order;
    this.documents.push({ _id: transferId, kind: 'refused', reason: decision.reason, cause, at });
    return decision.reason as 'insufficient_funds' | 'frozen';
  }

  byId() {
    return ledgerOf(this.documents).byId();
  }

  byAccount() {
    return ledgerOf(this.documents).byAccount();
  }
}
