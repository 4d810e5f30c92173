import type { AccountId, Currency, LedgerEntry } from '#libs/contracts';

/** What the ledger says when it is added up. Minor units. */
export interface Books {
  currency: Currency;
  balances: { account: AccountId; balance: bigint }[];
  sum: bigint;
  /** Whether each chain is there from its first document on: a document may become visible after a later one. */
  complete: boolean;
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
    return {
      currency,
      balances: [...balances].map(([account, balance]) => ({ account, balance })),
      sum: [...balances.values()].reduce((sum, balance) => sum + balance, 0n),
      complete: [...chains.values()].every(({ seq, documents }) => seq === documents),
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
