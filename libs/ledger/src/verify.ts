import { AccountId, type Currency, feesAccount } from '#libs/contracts';
import { hashState, type LedgerKeys } from './hash.ts';
import { floorOf } from './rules.ts';
import { dayOf, monthOf } from './time.ts';
import {
  type Chain,
  chainName,
  chainOf,
  compareChains,
  type PostedTransfer,
  type Side,
  SIDES,
  type TransferDocument,
} from './transfer.ts';

/** A transfer, as one of the chains it is in has it. */
export interface Leg {
  side: Side;
  transfer: PostedTransfer;
}

/** The collection, in the orders in which it is walked. */
export interface LedgerSource {
  /** Every document, by `_id`. */
  byId(): AsyncIterable<TransferDocument>;
  /**
   * Every leg of every document, in the order of `compareChains` and then by seq. All debits of an account are read before any of its
   * credits and fees: what comes in meanwhile can then only make it look richer than it is, never below its floor.
   */
  byAccount(): AsyncIterable<Leg>;
}

/** The newest document of a chain: its seq and its hash, which covers all before it. */
export interface ChainHead extends Chain {
  seq: number;
  hash: string;
}

/** What a walk may be told. */
export interface VerifyOptions {
  /** Of a ledger in use: a moment from which nothing is under way any more. What is newer is checked but not counted. */
  until?: Date;
  /** The heads that an earlier walk found, in the order of `compareChains`; each must still be there. */
  known?: Iterable<ChainHead> | AsyncIterable<ChainHead>;
  /** Told the head of each chain, in that order. */
  found?: (head: ChainHead) => void | Promise<void>;
}

/** What a walk found. */
export interface LedgerReport {
  transfers: number;
  refusals: number;
  accounts: number;
  chains: number;
  /** Sum of all balances per currency, in minor units: zero. */
  sums: Map<Currency, bigint>;
  /** One line each, and at most `PROBLEMS_MAX`; none if the ledger is right. */
  problems: string[];
}

export const PROBLEMS_MAX = 1_000;

/** The account that is walked. */
interface Account {
  id: AccountId;
  currency: Currency;
  credits: bigint;
  debits: bigint;
}

/** The chain that is walked, so far. */
interface Walked {
  chain: Chain;
  newest: PostedTransfer;
  /** Its head in the earlier walk. */
  known: ChainHead | undefined;
}

/**
 * Walks the whole ledger (docs/design.md, "The ledger"): every id once, hashes right, chains without gaps, totals of chains, days and months
 * that add up, no balance below its floor, and all balances of a currency zero together. That it was cut off at its newest end, or signed anew
 * by somebody with the key, shows only against the `known` heads of an earlier walk, each of which must still be there.
 * It remembers one account and one chain at a time, so a ledger may be of any size. Throws if `known` is out of order.
 */
export async function verify(
  source: LedgerSource,
  keys: LedgerKeys,
  timeZone: string,
  { until, known = [], found = () => undefined }: VerifyOptions = {},
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

  // All that is older than `until` is there when the walk begins, so each of the two orders has it.
  const counts = ({ at }: TransferDocument) => until === undefined || !(at > until);
  const counted = { transfers: 0, refusals: 0, debit: 0, credit: 0, fee: 0 };
  let withFee = 0;
  let lastId: string | undefined;
  for await (const document of source.byId()) {
    if (lastId !== undefined && document._id <= lastId) problem(`${document._id}: comes after ${lastId}`);
    if (typeof document._id !== 'string') problem(`${String(document._id)}: an id is text`);
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

  const earlier = new EarlierHeads(known, ({ seq, ...chain }) =>
    problem(`${chainName(chain)}: ends with seq 0, but an earlier walk found seq ${seq}`),
  );
  const sums = new Map<Currency, bigint>();
  let [accounts, chains] = [0, 0];
  let account: Account | undefined;
  let walked: Walked | undefined;
  const endChain = async () => {
    if (!walked) return;
    const { chain, newest, known: then } = walked;
    const seq = newest[chain.side]?.seq ?? 0;
    if (then && seq < then.seq) problem(`${chainName(chain)}: ends with seq ${seq}, but an earlier walk found seq ${then.seq}`);
    await found({ ...chain, seq, hash: newest.hash });
  };
  const endAccount = () => {
    if (!account) return;
    const balance = account.credits - account.debits;
    const floor = floorOf(account.id);
    if (floor !== undefined && balance < floor) problem(`${account.id}: balance ${balance} is below its floor ${floor}`);
  };
  for await (const { side, transfer } of source.byAccount()) {
    const chain = chainOf(side, transfer);
    if (!chain) {
      problem(`${transfer._id}: ${side}: the leg is missing`);
      continue;
    }
    let before = walked?.newest;
    if (!walked || compareChains(walked.chain, chain) !== 0) {
      before = undefined;
      await endChain();
      for (const what of orderProblems(walked?.chain, chain)) problem(`${transfer._id}: ${what}`);
      walked = { chain, newest: transfer, known: await earlier.of(chain) };
      chains++;
    }
    if (account?.id !== chain.account) {
      endAccount();
      account = { id: chain.account, currency: transfer.currency, credits: 0n, debits: 0n };
      accounts++;
    }
    const { known: then } = walked;
    const balance = account;
    look(transfer._id, () => {
      for (const what of chainProblems(side, before, transfer, timeZone))
        problem(`${transfer._id}: ${side} of ${chain.account}: ${what}`);
      if (balance.currency !== transfer.currency)
        problem(`${transfer._id}: ${chain.account} holds ${balance.currency}, not ${transfer.currency}`);
      const added = addedOn(side, transfer);
      if (side === 'debit') balance.debits += added;
      else balance.credits += added;
      if (then && then.seq === transfer[side]?.seq && then.hash !== transfer.hash)
        problem(`${transfer._id}: ${chainName(chain)}: seq ${then.seq} is not what an earlier walk found there`);
      if (!counts(transfer)) return;
      counted[side]++;
      sums.set(transfer.currency, (sums.get(transfer.currency) ?? 0n) + (side === 'debit' ? -added : added));
    });
    walked.newest = transfer;
  }
  await endChain();
  endAccount();
  await earlier.of(undefined);

  if (counted.debit !== counted.transfers) problem(`${counted.transfers} transfers, but ${counted.debit} with a debit`);
  if (counted.credit !== counted.transfers) problem(`${counted.transfers} transfers, but ${counted.credit} with a credit`);
  if (counted.fee !== withFee) problem(`${withFee} transfers with a fee, but ${counted.fee} in the chains of fees`);
  for (const [currency, sum] of sums) if (sum !== 0n) problem(`${currency}: all balances together are ${sum}, not 0`);
  return { transfers: counted.transfers, refusals: counted.refusals, accounts, chains, sums, problems };
}

/** The heads of an earlier walk, read beside this one. */
class EarlierHeads {
  readonly #heads: AsyncIterator<ChainHead>;
  readonly #missing: (head: ChainHead) => void;
  #next: ChainHead | undefined;
  #last: ChainHead | undefined;

  constructor(heads: Iterable<ChainHead> | AsyncIterable<ChainHead>, missing: (head: ChainHead) => void) {
    this.#heads = (async function* () {
      yield* heads;
    })();
    this.#missing = missing;
  }

  /** The head of the chain to which this walk has come, or of none at its end; what lies before that and was not asked for is missing now. */
  async of(chain: Chain | undefined): Promise<ChainHead | undefined> {
    for (;;) {
      const head = (this.#next ??= await this.#read());
      const order = head && chain ? compareChains(head, chain) : -1;
      if (!head || order > 0) return undefined;
      this.#next = undefined;
      if (order === 0) return head;
      this.#missing(head);
    }
  }

  async #read(): Promise<ChainHead | undefined> {
    const { done, value } = await this.#heads.next();
    if (done) return undefined;
    if (this.#last && compareChains(this.#last, value) >= 0)
      throw new Error(`the heads of the earlier walk are out of order: ${chainName(value)} after ${chainName(this.#last)}`);
    return (this.#last = value);
  }
}

/** What is wrong with a transfer by itself. */
function* problemsOf(transfer: PostedTransfer, keys: LedgerKeys): Generator<string> {
  const state = hashState(transfer, keys);
  if (state === 'wrong') yield 'the hash does not match';
  if (state === 'unknown_key') yield `the hash names the key ${transfer.hash.split('.')[0]}, which LEDGER_KEY lacks`;
  for (const side of SIDES) {
    // A walk along the chains could pass it over.
    const [chain, seq] = [chainOf(side, transfer), transfer[side]?.seq];
    if (chain && !(Number.isSafeInteger(chain.lane) && Number.isSafeInteger(seq))) yield `its ${side} has no place in a chain`;
  }
  if (transfer.amount <= 0n) yield `moves ${transfer.amount}`;
  if (transfer.debit.account === transfer.credit.account) yield `goes from ${transfer.debit.account} to itself`;
  if (transfer.fee && transfer.fee.account !== feesAccount(transfer.currency)) yield `pays its fee to ${transfer.fee.account}`;
}

/** What is wrong with where a chain comes. Accounts of other names, which are not ASCII, the database and we could order differently. */
function* orderProblems(before: Chain | undefined, chain: Chain): Generator<string> {
  if (!AccountId.safeParse(chain.account).success) yield `${chain.side} of ${chain.account}: no account is named so`;
  if (before && compareChains(before, chain) > 0) yield `${chainName(chain)} comes after ${chainName(before)}`;
}

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
  if (!leg) return;
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
