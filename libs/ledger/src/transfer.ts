import type { AccountId, Cause, Currency, PaymentId, Ref, RefusalReason, TransferId, TransferKind } from '#libs/contracts';

/** The debit chain's leg. Totals are in minor units and include this transfer; debits include fees. */
export interface DebitLeg {
  account: AccountId;
  /** Place in the chain, from 1 without gaps. */
  seq: number;
  /** All ever debited. */
  total: bigint;
  /** All ever debited when the day, and the month, of `at` began in `TIME_ZONE`. */
  dayTotal: bigint;
  monthTotal: bigint;
  /** Nothing goes out of a frozen account. Carried from leg to leg, as is `tier`. */
  frozen: boolean;
  tier: number;
  /** Hash of the chain's document before this one; empty for the first. */
  prev: string;
}

export interface CreditLeg {
  account: AccountId;
  /** One writer's part of an account's credits; each lane is a chain of its own. */
  lane: number;
  seq: number;
  /** All ever credited in this lane. */
  total: bigint;
  tier: number;
  prev: string;
}

export interface FeeLeg {
  account: AccountId;
  lane: number;
  seq: number;
  total: bigint;
  /** What this transfer added. */
  amount: bigint;
  prev: string;
}

/** One transfer, whole: as it is inserted, and never changed. */
export interface PostedTransfer {
  _id: TransferId;
  kind: TransferKind;
  currency: Currency;
  /** What the receiver gets, in minor units; the fee comes on top. */
  amount: bigint;
  debit: DebitLeg;
  credit: CreditLeg;
  fee?: FeeLeg;
  paymentId?: PaymentId;
  ref?: Ref;
  cause: Cause;
  memo: string;
  /** Never before that of the debit chain's document before it. */
  at: Date;
  /** See `signed()`. */
  hash: string;
}

/** A transfer that will never be made. It has no legs, so it is in no chain. */
export interface RefusedTransfer {
  _id: TransferId;
  kind: 'refused';
  reason: RefusalReason;
  cause: Cause;
  at: Date;
}

/** What the collection holds under an id: the answer of that id, for ever. */
export type TransferDocument = PostedTransfer | RefusedTransfer;

export type Side = 'debit' | 'credit' | 'fee';
export const SIDES: readonly Side[] = ['debit', 'credit', 'fee'];

/** An account's documents on one side. Debits have the one lane 0. */
export interface Chain {
  side: Side;
  account: AccountId;
  lane: number;
}

/** The chain's name, for maps and messages. */
export const chainName = ({ side, account, lane }: Chain): string => `${side} ${account} ${lane}`;

/**
 * The order in which a ledger is walked: by account, of one account the debits first, then by lane. Below zero: `one` comes first. Accounts
 * are ASCII, so it is the order of the database's indexes too, which compare UTF-8.
 */
export function compareChains(one: Chain, other: Chain): number {
  if (one.account !== other.account) return one.account < other.account ? -1 : 1;
  if (one.side !== other.side) return SIDES.indexOf(one.side) - SIDES.indexOf(other.side);
  if (one.lane !== other.lane) return one.lane < other.lane ? -1 : 1;
  return 0;
}

/** The chain that a transfer is in on one side; undefined if it has no such leg. */
export function chainOf(side: Side, transfer: PostedTransfer): Chain | undefined {
  if (side === 'debit') return transfer.debit && debitChain(transfer.debit.account);
  const leg = transfer[side];
  return leg && { side, account: leg.account, lane: leg.lane };
}

/** The chain that decides what an account may spend. */
export const debitChain = (account: AccountId): Chain => ({ side: 'debit', account, lane: 0 });

/** The chain in which an account is credited. */
export const creditChain = (account: AccountId): Chain => ({ side: 'credit', account, lane: 0 });

/** Lanes in which fees are collected: payments spread over them, so that none waits for another because of its fee. */
export const FEE_LANES = 16;

/** One of the chains in which an account collects fees. */
export const feeChain = (account: AccountId, lane: number): Chain => ({ side: 'fee', account, lane });

/** All of them. */
export const feeChains = (account: AccountId): Chain[] => Array.from({ length: FEE_LANES }, (_, lane) => feeChain(account, lane));

/** All chains that add to an account's balance; only `fees:` accounts collect fees. */
export function incomeChains(account: AccountId): Chain[] {
  return account.startsWith('fees:') ? [creditChain(account), ...feeChains(account)] : [creditChain(account)];
}

/** Where a chain stands: its newest leg, and of that leg's document what the next one needs. Before the first, all is zero. */
export type Head<Leg> = Leg & {
  at: Date;
  hash: string;
  /** Undefined before the first: an account takes the currency of its first transfer. */
  currency: Currency | undefined;
};

const BEFORE_THE_FIRST = { seq: 0, total: 0n, prev: '', hash: '', at: new Date(0), currency: undefined } as const;

/** The head of an account's debit chain, from its newest document. */
export function debitHead(account: AccountId, newest: PostedTransfer | undefined): Head<DebitLeg> {
  return newest
    ? headOf(newest.debit, newest)
    : { ...BEFORE_THE_FIRST, account, dayTotal: 0n, monthTotal: 0n, frozen: false, tier: 0 };
}

/** The head of an account's credit chain, from its newest document. */
export function creditHead(account: AccountId, newest: PostedTransfer | undefined): Head<CreditLeg> {
  return newest ? headOf(newest.credit, newest) : { ...BEFORE_THE_FIRST, account, lane: 0, tier: 0 };
}

/** The head of one of an account's fee chains, from its newest document. */
export function feeHead({ account, lane }: Chain, newest: PostedTransfer | undefined): Head<FeeLeg> {
  return newest?.fee ? headOf(newest.fee, newest) : { ...BEFORE_THE_FIRST, account, lane, amount: 0n };
}

function headOf<Leg>(leg: Leg, { at, hash, currency }: PostedTransfer): Head<Leg> {
  return { ...leg, at, hash, currency };
}

/** What a chain's newest document adds to the account's balance: all ever credited, or all ever debited; zero before the first. */
export function totalOf(chain: Chain, newest: PostedTransfer | undefined): bigint {
  return newest?.[chain.side]?.total ?? 0n;
}
