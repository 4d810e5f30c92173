import { describe, expect, it } from '@jest/globals';
import type { LedgerEntry } from '#libs/contracts';
import { booksOf, newsOf } from './ledger-view.ts';

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
const refused = { result: 'refused', transferId: 'pay:2', reason: 'declined', at: new Date(7) } as unknown as LedgerEntry;

describe('the books', () => {
  it('are empty of an empty ledger', () => expect(booksOf([refused])).toEqual([]));

  it('add up credits and fees less debits by the totals of the newest documents, in any order', () => {
    const books = {
      currency: 'KES',
      balances: [
        { account: 'treasury:KES', amount: '-200.00' },
        { account: 'wallet:ada', amount: '74.90' },
        { account: 'wallet:ben', amount: '125.00' },
        { account: 'fees:KES', amount: '0.10' },
      ],
      sum: 'KES 0.00',
      state: 'zero',
    };
    expect(booksOf([welcomeAda, welcomeBen, refused, adaPaysBen])).toEqual([books]);
    const [shuffled] = booksOf([adaPaysBen, welcomeBen, welcomeAda]);
    expect(new Map(shuffled?.balances.map(({ account, amount }) => [account, amount]))).toEqual(
      new Map(books.balances.map(({ account, amount }) => [account, amount])),
    );
  });

  it('see money that came from nowhere', () => {
    const forged = made(25_00n, ['wallet:ada', 1, 25_00n], ['wallet:ben', 2, 225_00n]);
    expect(booksOf([welcomeAda, welcomeBen, forged])).toMatchObject([{ sum: 'KES 100.00', state: 'wrong' }]);
  });

  it('say when a document is not visible yet', () => {
    expect(booksOf([welcomeBen, adaPaysBen])).toMatchObject([{ sum: 'KES -100.00', state: 'open' }]);
  });
});

describe('what a page is told of the ledger', () => {
  it('is JSON: amounts and references as people read them, times as numbers, and the books of all', () => {
    const owners = {};
    const entries = [{ ...adaPaysBen, memo: 'lunch', ref: 7, at: new Date(5) } as LedgerEntry, refused, welcomeBen];
    const news = newsOf({ entries, owners }, [welcomeAda, ...entries]);
    expect(JSON.parse(JSON.stringify(news))).toEqual(news);
    expect(news).toEqual({
      lines: [
        {
          result: 'made',
          transferId: 'pay:wallet:ada1',
          kind: 'payment',
          memo: 'lunch',
          at: 5,
          from: 'wallet:ada',
          to: 'wallet:ben',
          amount: '25.00',
          fee: '0.10',
          ref: '2222229',
        },
        { result: 'refused', transferId: 'pay:2', reason: 'declined', at: 7 },
        expect.objectContaining({ from: 'treasury:KES', to: 'wallet:ben', amount: '100.00' }),
      ],
      owners,
      books: [{ currency: 'KES', balances: expect.any(Array), sum: 'KES 0.00', state: 'zero' }],
    });
    expect(news.lines[2]).not.toHaveProperty('fee');
    expect(news.lines[2]).not.toHaveProperty('ref');
  });
});
