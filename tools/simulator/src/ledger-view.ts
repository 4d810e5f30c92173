import { type AccountId, formatAmount, formatMoney, type LedgerEntry, refText } from '#libs/contracts';
import type { LedgerPart } from './ledger-reader.ts';
import type { Books, LedgerLine, LedgerNews } from './live.ts';

/** What a page is told of a part of the ledger; `all` is the whole of it, which is added up. */
export function newsOf({ entries, owners }: LedgerPart, all: readonly LedgerEntry[]): LedgerNews {
  return { lines: entries.map(lineOf), owners, books: booksOf(all) };
}

function lineOf(entry: LedgerEntry): LedgerLine {
  const { transferId } = entry;
  const at = entry.at.getTime();
  if (entry.result === 'refused') return { result: 'refused', transferId, reason: entry.reason, at };
  const { kind, memo, debit, credit, amount, fee, ref, currency } = entry;
  return {
    result: 'made',
    transferId,
    kind,
    memo,
    at,
    from: debit.account,
    to: credit.account,
    amount: formatAmount(amount, currency),
    ...(fee && { fee: formatAmount(fee.amount, currency) }),
    ...(ref !== undefined && { ref: refText(ref) }),
  };
}

interface Chain {
  account: AccountId;
  sign: 1n | -1n;
  seq: number;
  total: bigint;
  documents: number;
}

/** Adds up the ledger from the running totals of its chains: credits and fees less debits, as the newest document of each chain has them. */
export function booksOf(entries: readonly LedgerEntry[]): Books[] {
  const made = entries.filter((entry) => entry.result === 'made');
  return [...Map.groupBy(made, ({ currency }) => currency)].map(([currency, ofCurrency]) => {
    const chains = new Map<string, Chain>();
    for (const { debit, credit, fee } of ofCurrency) {
      extend(chains, `debit ${debit.account}`, -1n, debit);
      extend(chains, `credit ${credit.account} ${credit.lane}`, 1n, credit);
      if (fee) extend(chains, `fee ${fee.account} ${fee.lane}`, 1n, fee);
    }
    const balances = new Map<AccountId, bigint>();
    for (const { account, sign, total } of chains.values()) balances.set(account, (balances.get(account) ?? 0n) + sign * total);
    const sum = [...balances.values()].reduce((total, balance) => total + balance, 0n);
    // From its first document on: a document may become visible after a later one.
    const complete = [...chains.values()].every(({ seq, documents }) => seq === documents);
    return {
      currency,
      balances: [...balances].map(([account, balance]) => ({ account, amount: formatAmount(balance, currency) })),
      sum: formatMoney(sum, currency),
      state: sum === 0n ? 'zero' : complete ? 'wrong' : 'open',
    };
  });
}

function extend(
  chains: Map<string, Chain>,
  name: string,
  sign: Chain['sign'],
  leg: { account: AccountId; seq: number; total: bigint },
): void {
  const { account, seq, total } = leg;
  const chain = chains.get(name);
  if (!chain) chains.set(name, { account, sign, seq, total, documents: 1 });
  else {
    chain.documents += 1;
    if (seq > chain.seq) Object.assign(chain, { seq, total });
  }
}
