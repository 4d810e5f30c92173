import { describe, expect, it } from '@jest/globals';
import type { AccountId, Cause, Currency, MinorUnits, TransferId } from '#libs/contracts';
import * as fc from 'fast-check';
import { Collection, Model, TIME_ZONE } from './model.spec-helper.ts';
import { type Order, post } from './post.ts';
import { floorOf } from './rules.ts';
import { dayOf, monthOf } from './time.ts';

const TREASURY = 'treasury:KES' as AccountId;
const ADA = 'wallet:ada' as AccountId;
const BEN = 'wallet:ben' as AccountId;
const CEM = 'wallet:cem' as AccountId;
const FEES = 'fees:KES' as AccountId;
const NOON = new Date('2026-11-25T09:00:00Z');

let orders = 0;
function order(change: Partial<Record<keyof Order, unknown>> = {}): Order {
  return {
    transferId: `pay:${++orders}` as TransferId,
    kind: 'payment',
    from: TREASURY,
    to: ADA,
    amount: 100n as MinorUnits,
    fee: 0n as MinorUnits,
    currency: 'KES' as Currency,
    memo: '',
    cause: 'SM1' as Cause,
    at: NOON,
    ...change,
  } as Order;
}

const rulesOf = (from: AccountId) => ({ floor: floorOf(from), timeZone: TIME_ZONE });

/** Ada has 1.00. */
function funded(): Collection {
  const collection = new Collection();
  collection.take(order());
  return collection;
}

describe('post', () => {
  it('makes the first transfer of three chains', () => {
    const first = order({ fee: 3n, paymentId: 'SM1', ref: 7, memo: 'lunch' });
    expect(post(first, new Collection().headsFor(first), rulesOf(TREASURY))).toEqual({
      result: 'posted',
      transfer: {
        _id: first.transferId,
        kind: 'payment',
        currency: 'KES',
        amount: 100n,
        debit: { account: TREASURY, seq: 1, total: 103n, dayTotal: 0n, monthTotal: 0n, frozen: false, tier: 0, prev: '' },
        credit: { account: ADA, lane: 0, seq: 1, total: 100n, tier: 0, prev: '' },
        fee: { account: FEES, lane: 0, seq: 1, total: 3n, amount: 3n, prev: '' },
        paymentId: 'SM1',
        ref: 7,
        cause: 'SM1',
        memo: 'lunch',
        at: NOON,
      },
    });
  });

  it('goes on from the heads, and names the document before by its hash', () => {
    const collection = funded();
    collection.take(order());
    const [first, second] = collection.posted();
    expect(second?.credit).toMatchObject({ seq: 2, total: 200n, prev: first?.hash });
    expect(second?.debit).toMatchObject({ seq: 2, total: 200n, dayTotal: 0n, prev: first?.hash });
  });

  it('lets a balance go down to its floor and not below, the fee included', () => {
    expect(funded().take(order({ from: ADA, to: BEN, amount: 97n, fee: 3n }))).toBe('posted');
    expect(funded().take(order({ from: ADA, to: BEN, amount: 98n, fee: 3n }))).toBe('insufficient_funds');
    expect(funded().take(order({ from: ADA, to: BEN, amount: 101n }))).toBe('insufficient_funds');
  });

  it('lets nothing out of a frozen account, and lets money in', () => {
    const collection = funded();
    collection.take(order({ from: ADA, to: BEN, amount: 1n }));
    const debit = { ...collection.headsFor(order({ from: ADA, to: BEN })).debit, frozen: true };
    const out = order({ from: ADA, to: BEN, amount: 1n });
    expect(post(out, { ...collection.headsFor(out), debit }, rulesOf(ADA))).toEqual({ result: 'refused', reason: 'frozen' });
    expect(collection.take(order())).toBe('posted');
  });

  it('carries tier and lane from the heads', () => {
    const collection = funded();
    collection.take(order({ from: ADA, to: BEN, amount: 1n }));
    const next = order({ from: ADA, to: BEN, amount: 1n });
    const heads = collection.headsFor(next);
    const posting = post(
      next,
      { ...heads, debit: { ...heads.debit, tier: 2 }, credit: { ...heads.credit, tier: 1, lane: 3 } },
      rulesOf(ADA),
    );
    expect(posting).toMatchObject({ transfer: { debit: { tier: 2, frozen: false }, credit: { tier: 1, lane: 3 } } });
  });

  it('begins days and months where the people are, not in UTC', () => {
    const collection = funded();
    const spend = (at: string) => collection.take(order({ from: ADA, to: BEN, amount: 1n, at: new Date(at) }));
    // Nairobi is three hours ahead of UTC.
    [
      '2026-11-29T20:59:59Z',
      '2026-11-29T21:00:00Z',
      '2026-11-30T20:59:59Z',
      '2026-11-30T21:00:00Z',
      '2026-12-31T12:00:00Z',
    ].forEach(spend);
    expect(
      collection
        .posted()
        .slice(1)
        .map(({ debit }) => [debit.dayTotal, debit.monthTotal]),
    ).toEqual([
      [0n, 0n],
      [1n, 0n],
      [1n, 0n],
      [3n, 3n],
      [4n, 3n],
    ]);
  });

  it('never goes back in time along a debit chain', () => {
    const collection = funded();
    collection.take(order({ from: ADA, to: BEN, amount: 1n }));
    collection.take(order({ from: ADA, to: BEN, amount: 1n, at: new Date(NOON.getTime() - 86_400_000) }));
    expect(collection.posted().at(-1)).toMatchObject({ at: NOON, debit: { dayTotal: 0n } });
  });

  it('throws on what is no transfer', () => {
    const heads = new Collection().headsFor(order());
    expect(() => post(order({ to: TREASURY }), heads, rulesOf(TREASURY))).toThrow('to itself');
    expect(() => post(order({ amount: 0n }), heads, rulesOf(TREASURY))).toThrow('moves 0');
    expect(() => post(order({ amount: -5n }), heads, rulesOf(TREASURY))).toThrow('moves -5');
    expect(() => post(order({ fee: -1n }), heads, rulesOf(TREASURY))).toThrow('a fee of -1');
    const { fee: _fee, ...without } = heads;
    expect(() => post(order({ fee: 1n }), without, rulesOf(TREASURY))).toThrow('no head of the fees account');
    expect(post(order(), without, rulesOf(TREASURY)).result).toBe('posted');
  });

  it('throws on heads that cannot be', () => {
    const collection = funded();
    const next = order();
    const heads = collection.headsFor(next);
    const throws = (change: object, message: string) =>
      expect(() => post(next, { ...heads, ...change }, rulesOf(TREASURY))).toThrow(message);
    const { debit, credit, fee } = heads;
    throws({ debit: { ...debit, account: BEN } }, 'the heads of wallet:ben');
    throws({ credit: { ...credit, account: BEN } }, 'the heads of treasury:KES and wallet:ben');
    throws({ fee: { ...fee, account: BEN } }, 'the head of wallet:ben for its fee');
    throws({ debit: { ...debit, dayTotal: 101n } }, 'totals of day and month');
    throws({ debit: { ...debit, monthTotal: 1n } }, 'totals of day and month');
    throws({ credits: -1n }, 'credits of -1');
    throws({ credit: { ...credit, seq: 1.5 } }, 'a seq of 1.5');
    throws({ credit: { ...credit, seq: -1 } }, 'a seq of -1');
    throws({ credit: { ...credit, total: -1n } }, 'a total of -1');
    throws({ credit: { ...credit, seq: 0, hash: '' } }, 'a total of 100 at seq 0');
    throws({ credit: { ...credit, hash: '' } }, 'a hash of "" at seq 1');
    throws({ fee: { ...fee, hash: 'k1.x' } }, 'a hash of "k1.x" at seq 0');
    throws({ credit: { ...credit, currency: 'USD' } }, 'holds USD, got KES');
    throws({ credit: { ...credit, total: 2n ** 63n - 100n } }, 'cannot grow by 100');
  });
});

const account = fc.constantFrom(TREASURY, ADA, BEN, CEM);
const anyMove = fc
  .record({
    from: account,
    to: account,
    amount: fc.bigInt(1n, 60n),
    fee: fc.bigInt(0n, 2n),
    // Clocks of several writers: within some days of each other, in any order.
    at: fc.date({ min: new Date('2026-11-28T00:00:00Z'), max: new Date('2026-12-03T00:00:00Z'), noInvalidDate: true }),
  })
  .filter(({ from, to }) => from !== to);

describe('post, against the model', () => {
  it('decides each order as adding up everything would', () => {
    fc.assert(
      fc.property(fc.array(anyMove, { maxLength: 40 }), (moves) => {
        const [collection, model] = [new Collection(), new Model()];
        for (const move of moves) {
          const next = order(move);
          expect(collection.take(next)).toBe(model.decide(next));
          for (const { debit, at } of collection.posted().slice(-1)) {
            const before = (of: typeof dayOf) => (earlier: Date) => of(earlier, TIME_ZONE) < of(at, TIME_ZONE);
            expect(debit.dayTotal).toBe(model.debitedBefore(debit.account, before(dayOf)));
            expect(debit.monthTotal).toBe(model.debitedBefore(debit.account, before(monthOf)));
          }
        }
        for (const id of [TREASURY, ADA, BEN, CEM, FEES]) {
          const { debit, credits } = collection.headsFor({ from: id, to: BEN, currency: 'KES' as Currency });
          expect(credits - debit.total).toBe(model.balanceOf(id));
        }
      }),
    );
  });

  it('cannot overdraw by stale credits: they only refuse', () => {
    fc.assert(
      fc.property(fc.array(anyMove, { minLength: 1, maxLength: 30 }), fc.nat(), (moves, age) => {
        const collection = new Collection();
        for (const move of moves) collection.take(order(move));
        const next = order({ from: ADA, to: BEN });
        const fresh = collection.headsFor(next);
        const stale = new Collection(collection.documents.slice(0, age % moves.length)).headsFor(next);
        const decided = post(next, { ...fresh, credits: stale.credits }, rulesOf(ADA));
        if (decided.result === 'posted') expect(post(next, fresh, rulesOf(ADA)).result).toBe('posted');
      }),
    );
  });
});
