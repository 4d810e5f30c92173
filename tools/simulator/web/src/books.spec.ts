import { describe, expect, it } from '@jest/globals';
import type { LedgerEntry } from '#libs/contracts';
import { booksOf } from './books.ts';

type Leg = [account: string, seq: number, total: bigint];

const made = (
  amount: bigint,
  [from, fromSeq, debits]: Leg,
  [to, toSeq, credits]: Leg,
  fee?: [amount: bigint, seq: number, total: bigint],
) =>
  ({
    result: 'made',
    transferId: `pay:${from}${fromSeq}`,
    kind: 'payment',
    currency: 'KES',
    amount,
    debit: { account: from, seq: fromSeq, total: debits },
    credit: { account: to, lane: 0, seq: toSeq, total: credits },
    fee: fee && { account: 'fees:KES', lane: 0, amount: fee[0], seq: fee[1], total: fee[2] },
    memo: '',
    at: new Date(0),
  }) as unknown as LedgerEntry;

const welcomeAda = made(100_00n, ['treasury:KES', 1, 100_00n], ['wallet:ada', 1, 100_00n]);
const welcomeBen = made(100_00n, ['treasury:KES', 2, 200_00n], ['wallet:ben', 1, 100_00n]);
const adaPaysBen = made(25_00n, ['wallet:ada', 1, 25_10n], ['wallet:ben', 2, 125_00n], [10n, 1, 10n]);
const refused = { result: 'refused', transferId: 'pay:2', reason: 'declined', at: new Date(0) } as unknown as LedgerEntry;

describe('the books', () => {
  it('are empty of an empty ledger', () => expect(booksOf([refused])).toEqual([]));

  it('add up credits and fees less debits by the totals of the newest documents, in any order', () => {
    const books = {
      currency: 'KES',
      balances: [
        { account: 'treasury:KES', balance: -200_00n },
        { account: 'wallet:ada', balance: 74_90n },
        { account: 'wallet:ben', balance: 125_00n },
        { account: 'fees:KES', balance: 10n },
      ],
      sum: 0n,
      complete: true,
    };
    expect(booksOf([welcomeAda, welcomeBen, refused, adaPaysBen])).toEqual([books]);
    const [shuffled] = booksOf([adaPaysBen, welcomeBen, welcomeAda]);
    expect(new Map(shuffled?.balances.map(({ account, balance }) => [account, balance]))).toEqual(
      new Map(books.balances.map(({ account, balance }) => [account, balance])),
    );
  });

  it('see money that came from nowhere', () => {
    const forged = made(25_00n, ['wallet:ada', 1, 25_00n], ['wallet:ben', 2, 225_00n]);
    expect(booksOf([welcomeAda, welcomeBen, forged])).toMatchObject([{ sum: 100_00n, complete: true }]);
  });

  it('say when a document is not visible yet', () => {
    expect(booksOf([welcomeBen, adaPaysBen])).toMatchObject([{ complete: false }]);
  });
});
