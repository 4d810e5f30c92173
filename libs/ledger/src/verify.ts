import { type AccountId, type Currency, feesAccount } from '#libs/contracts';
import { hashState, type LedgerKeys } from './hash.ts';
import { floorOf } from './rules.ts';
import { dayOf, monthOf } from './time.ts';
import { chainName, type PostedTransfer, type Side, SIDES, type TransferDocument } from './transfer.ts';

/** The collection, in the orders in which it is walked. Each is one walk along an index, so millions of documents pass through. */
export interface LedgerSource {
  /** Every document, by `_id`. */
  byId(): AsyncIterable<TransferDocument>;
  /** Every document with a leg on this side, by account, lane and seq. */
  bySide(side: Side): AsyncIterable<PostedTransfer>;
}

/** The newest document of each chain, by the chain's name: its seq and its hash, which covers all before it. */
export type ChainHeads = Map<string, { seq: number; hash: string }>;

/** What a walk found. */
export interface LedgerReport {
  transfers: number;
  refusals: number;
  accounts: number;
  /** Sum of all balances per currency, in minor units: zero. */
  sums: Map<Currency, bigint>;
  heads: ChainHeads;
  /** One line each, and at most `PROBLEMS_MAX`; none if the ledger is right. */
  problems: string[];
}

export const PROBLEMS_MAX = 1_000;

interface Account {
  currency: Currency;
  credits: bigint;
  debits: bigint;
}

/**
 * Walks the whole ledger (docs/design.md, "The ledger"): every id once, hashes right, chains without gaps, totals of chains, days and months
 * that add up, no balance below its floor, and all balances of a currency zero together. That it was cut off at its newest end, or signed anew
 * by somebody with the key, shows only against the `known` heads of an earlier walk, each of which must still be there.
 * Of a ledger in use, `until` is a moment from which nothing is under way any more: what is newer may come between two walks, so it is
 * checked but not counted.
 */
export async function verify(
  source: LedgerSource,
  keys: LedgerKeys,
  timeZone: string,
  { until, known = new Map() }: { until?: Date; known?: ChainHeads } = {},
): Promise<LedgerReport> {
  const problems: string[] = [];
  const problem = (what: string) => problems.length < PROBLEMS_MAX && problems.push(what);
  // A document that was tampered with can have any shape.
  const look = (id: string, check: () => void) => {
    try {
      check();
    } catch (error) {
      problem(`${id}: cannot be read: ${String(error)}`);
    }
  };

  const counts = ({ at }: TransferDocument) => until === undefined || !(at > until);
  const counted = { transfers: 0, refusals: 0, debit: 0, credit: 0, fee: 0 };
  let withFee = 0;
  let lastId: string | undefined;
  for await (const document of source.byId()) {
    if (lastId !== undefined && document._id <= lastId) problem(`${document._id}: comes after ${lastId}`);
    lastId = document._id;
    if (document.kind === 'refused') {
      if (counts(document)) counted.refusals++;
      if (SIDES.some((side) => side in document)) problem(`${document._id}: is refused, but has a leg`);
      continue;
    }
    if (counts(document)) {
      counted.transfers++;
      if (document.fee) withFee++;
    }
    look(document._id, () => {
      for (const what of problemsOf(document, keys)) problem(`${document._id}: ${what}`);
    });
  }

  // Debits are walked first: what comes in meanwhile can then only make an account look richer than it is.
  const accounts = new Map<AccountId, Account>();
  const sums = new Map<Currency, bigint>();
  const heads: ChainHeads = new Map();
  for (const side of SIDES) {
    let before: PostedTransfer | undefined;
    for await (const transfer of source.bySide(side)) {
      look(transfer._id, () => {
        const previous = before && isSameChain(side, before, transfer) ? before : undefined;
        for (const what of chainProblems(side, previous, transfer, timeZone))
          problem(`${transfer._id}: ${side} of ${transfer[side]?.account}: ${what}`);
        addTo(accounts, side, transfer, problem);
        moveHead(heads, side, transfer, known, problem);
        if (!counts(transfer)) return;
        counted[side]++;
        const added = addedOn(side, transfer);
        sums.set(transfer.currency, (sums.get(transfer.currency) ?? 0n) + (side === 'debit' ? -added : added));
      });
      before = transfer;
    }
  }
  if (counted.debit !== counted.transfers) problem(`${counted.transfers} transfers, but ${counted.debit} with a debit`);
  if (counted.credit !== counted.transfers) problem(`${counted.transfers} transfers, but ${counted.credit} with a credit`);
  if (counted.fee !== withFee) problem(`${withFee} transfers with a fee, but ${counted.fee} in the chains of fees`);

  for (const [chain, { seq }] of known) {
    const last = heads.get(chain)?.seq ?? 0;
    if (last < seq) problem(`${chain}: ends with seq ${last}, but an earlier walk found seq ${seq}`);
  }
  for (const [id, { credits, debits }] of accounts) {
    const balance = credits - debits;
    const floor = floorOf(id);
    if (floor !== undefined && balance < floor) problem(`${id}: balance ${balance} is below its floor ${floor}`);
  }
  for (const [currency, sum] of sums) if (sum !== 0n) problem(`${currency}: all balances together are ${sum}, not 0`);
  return { transfers: counted.transfers, refusals: counted.refusals, accounts: accounts.size, sums, heads, problems };
}

/** What is wrong with a transfer by itself. */
function* problemsOf(transfer: PostedTransfer, keys: LedgerKeys): Generator<string> {
  const state = hashState(transfer, keys);
  if (state === 'wrong') yield 'the hash does not match';
  if (state === 'unknown_key') yield `the hash names the key ${transfer.hash.split('.')[0]}, which LEDGER_KEY lacks`;
  if (transfer.amount <= 0n) yield `moves ${transfer.amount}`;
  if (transfer.debit.account === transfer.credit.account) yield `goes from ${transfer.debit.account} to itself`;
  if (transfer.fee && transfer.fee.account !== feesAccount(transfer.currency)) yield `pays its fee to ${transfer.fee.account}`;
}

function isSameChain(side: Side, before: PostedTransfer, transfer: PostedTransfer): boolean {
  return before[side]?.account === transfer[side]?.account && laneOf(side, before) === laneOf(side, transfer);
}

const laneOf = (side: Side, transfer: PostedTransfer): number | undefined => (side === 'debit' ? 0 : transfer[side]?.lane);

/** What a transfer adds to its chain on one side. */
function addedOn(side: Side, { amount, fee }: PostedTransfer): bigint {
  switch (side) {
    case 'debit':
      return amount + (fee?.amount ?? 0n);
    case 'credit':
      return amount;
    case 'fee':
      return fee?.amount ?? 0n;
    default:
      return side satisfies never;
  }
}

/** What is wrong between a transfer and the one before it in a chain. */
function* chainProblems(
  side: Side,
  before: PostedTransfer | undefined,
  transfer: PostedTransfer,
  timeZone: string,
): Generator<string> {
  const leg = transfer[side];
  if (!leg) return yield 'the leg is missing';
  const previous = before?.[side];
  const seq = (previous?.seq ?? 0) + 1;
  const total = (previous?.total ?? 0n) + addedOn(side, transfer);
  if (leg.seq !== seq) yield `seq ${leg.seq} where ${seq} is due`;
  if (leg.total !== total) yield `total ${leg.total} where ${total} is due`;
  if (leg.prev !== (before?.hash ?? '')) yield 'prev is not the hash of the one before';
  if (side === 'debit') yield* debitProblems(before, transfer, timeZone);
}

function* debitProblems(before: PostedTransfer | undefined, { debit, at }: PostedTransfer, timeZone: string): Generator<string> {
  const sameDay = before && dayOf(before.at, timeZone) === dayOf(at, timeZone);
  const sameMonth = before && monthOf(before.at, timeZone) === monthOf(at, timeZone);
  const total = before?.debit.total ?? 0n;
  const dayTotal = sameDay ? before.debit.dayTotal : total;
  const monthTotal = sameMonth ? before.debit.monthTotal : total;
  if (debit.dayTotal !== dayTotal) yield `dayTotal ${debit.dayTotal} where ${dayTotal} is due`;
  if (debit.monthTotal !== monthTotal) yield `monthTotal ${debit.monthTotal} where ${monthTotal} is due`;
  if (before && at < before.at) yield `at ${at.toISOString()} is before that of the one before`;
  if (before?.debit.frozen) yield 'money went out of a frozen account';
}

function addTo(accounts: Map<AccountId, Account>, side: Side, transfer: PostedTransfer, problem: (what: string) => void): void {
  const id = transfer[side]?.account;
  if (!id) return;
  const account = accounts.get(id) ?? { currency: transfer.currency, credits: 0n, debits: 0n };
  accounts.set(id, account);
  if (account.currency !== transfer.currency)
    problem(`${transfer._id}: ${id} holds ${account.currency}, not ${transfer.currency}`);
  if (side === 'debit') account.debits += addedOn(side, transfer);
  else account.credits += addedOn(side, transfer);
}

function moveHead(
  heads: ChainHeads,
  side: Side,
  transfer: PostedTransfer,
  known: ChainHeads,
  problem: (what: string) => void,
): void {
  const leg = transfer[side];
  if (!leg) return;
  const chain = chainName({ side, account: leg.account, lane: laneOf(side, transfer) ?? 0 });
  const earlier = known.get(chain);
  if (earlier?.seq === leg.seq && earlier.hash !== transfer.hash)
    problem(`${transfer._id}: ${chain}: seq ${leg.seq} is not what an earlier walk found there`);
  heads.set(chain, { seq: leg.seq, hash: transfer.hash });
}
