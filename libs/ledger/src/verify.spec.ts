import { describe, expect, it } from '@jest/globals';
import type { AccountId, Cause, Currency, MinorUnits, TransferId } from '#libs/contracts';
import * as fc from 'fast-check';
import { signed } from './hash.ts';
import { Collection, KEYS, TIME_ZONE } from './model.spec-helper.ts';
import type { Order } from './post.ts';
import type { PostedTransfer, Side, TransferDocument } from './transfer.ts';
import { PROBLEMS_MAX, verify } from './verify.ts';

const ACCOUNTS = ['treasury:KES', 'wallet:ada', 'wallet:ben'] as AccountId[];
const start = Date.parse('2026-11-29T12:00:00Z');

/** A ledger of some days: money goes round, now and then with a fee, now and then refused. */
function ledger(moves: number, cause = 'SM1'): Collection {
  const collection = new Collection();
  for (let n = 0; n < moves; n++) {
    collection.take({
      transferId: `pay:${String(n).padStart(3, '0')}` as TransferId,
      kind: 'payment',
      from: ACCOUNTS[n % 3],
      to: ACCOUNTS[(n + 1) % 3],
      amount: BigInt(100 - (n % 7) * 3) as MinorUnits,
      fee: BigInt(n % 3 === 0 ? 0 : n % 2) as MinorUnits,
      currency: 'KES' as Currency,
      memo: '',
      cause: cause as Cause,
      at: new Date(start + n * 7_200_000),
    } as Order);
  }
  return collection;
}

const check = (documents: TransferDocument[], timeZone = TIME_ZONE) => verify(new Collection(documents), KEYS, timeZone);
const whole = ledger(30).documents;
const posted = whole.filter((document): document is PostedTransfer => document.kind !== 'refused');

/** The ledger with one transfer changed by somebody who has the key. */
function forged(n: number, change: (transfer: PostedTransfer) => object): TransferDocument[] {
  const { hash: _, ...transfer } = posted[n] as PostedTransfer;
  const changed = signed({ ...transfer, ...change(posted[n] as PostedTransfer) }, KEYS);
  return whole.map((document) => (document._id === changed._id ? changed : document));
}

/** Another value of the same type. */
function other(value: unknown): unknown {
  if (typeof value === 'bigint') return value + 1n;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  return value instanceof Date ? new Date(value.getTime() + 1) : `${String(value)}x`;
}

describe('verify', () => {
  it('finds nothing wrong with what post() made', async () => {
    const { heads, ...report } = await check(whole);
    expect(heads.size).toBe(13);
    expect(report).toEqual({
      transfers: posted.length,
      refusals: whole.length - posted.length,
      accounts: 4,
      sums: new Map([['KES', 0n]]),
      problems: [],
    });
    expect(report.refusals).toBeGreaterThan(0);
    expect(posted.some(({ fee }) => fee)).toBe(true);
  });

  it('finds nothing wrong with an empty ledger', async () => {
    expect(await check([])).toEqual({ transfers: 0, refusals: 0, accounts: 0, sums: new Map(), heads: new Map(), problems: [] });
  });

  it('sees any field of any transfer changed', async () => {
    const paths = (value: object, path: string[] = []): string[][] =>
      Object.entries(value).flatMap(([name, field]) =>
        field !== null && typeof field === 'object' && !(field instanceof Date)
          ? paths(field, [...path, name])
          : [[...path, name]],
      );
    await fc.assert(
      fc.asyncProperty(fc.nat(posted.length - 1), fc.nat(), async (n, place) => {
        const copy = structuredClone(posted[n] as PostedTransfer);
        const all = paths(copy);
        const path = all[place % all.length] ?? [];
        const holder = path
          .slice(0, -1)
          .reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy as never);
        const name = path.at(-1) ?? '';
        holder[name] = other(holder[name]);
        const { problems } = await check(whole.map((document) => (document === posted[n] ? copy : document)));
        expect(problems).not.toEqual([]);
      }),
    );
  });

  it('sees any transfer removed that others follow', async () => {
    for (const gone of posted.slice(0, -3)) {
      const { problems } = await check(whole.filter((document) => document !== gone));
      expect(problems.join()).toMatch(/is due|prev is not/);
    }
  });

  it.each<[string, TransferDocument[], RegExp]>([
    [
      'a total that does not add up',
      forged(4, ({ credit }) => ({ credit: { ...credit, total: credit.total + 1n } })),
      /credit of .*: total \d+ where \d+ is due/,
    ],
    ['a seq that skips', forged(4, ({ debit }) => ({ debit: { ...debit, seq: 90 } })), /debit of .*: seq 90 where \d+ is due/],
    ['a chain of other hashes', forged(4, ({ debit }) => ({ debit: { ...debit, prev: 'k1.x' } })), /prev is not the hash/],
    ['a wrong total of the day', forged(4, ({ debit }) => ({ debit: { ...debit, dayTotal: 1n } })), /dayTotal 1 where/],
    ['a wrong total of the month', forged(9, ({ debit }) => ({ debit: { ...debit, monthTotal: 1n } })), /monthTotal 1 where/],
    ['a step back in time', forged(9, () => ({ at: new Date(0) })), /at 1970-01-01T00:00:00.000Z is before/],
    ['money out of a frozen account', forged(4, ({ debit }) => ({ debit: { ...debit, frozen: true } })), /frozen account/],
    ['an amount of nothing', forged(4, () => ({ amount: 0n })), /moves 0/],
    ['a transfer to itself', forged(4, ({ debit, credit }) => ({ credit: { ...credit, account: debit.account } })), /to itself/],
    [
      'a fee to somebody else',
      forged(4, (t) => ({ fee: { ...t.fee, account: 'wallet:ada', lane: 0, seq: 1, total: 1n, amount: 1n, prev: '' } })),
      /pays its fee to wallet:ada/,
    ],
    ['two currencies in one account', forged(4, () => ({ currency: 'USD' })), /holds KES, not USD/],
    [
      'a refusal with a leg',
      [...whole, { _id: 'pay:x', kind: 'refused', debit: posted[0]?.debit } as never],
      /pay:x: is refused, but has a leg/,
    ],
    ['an id twice', [...whole, ...whole.slice(-1)], /comes after/],
    ['a transfer without a debit', [...whole, { _id: 'pay:x', kind: 'payment', hash: '' } as never], /pay:x: cannot be read/],
    [
      'a hash of an unknown key',
      whole.map((d) => (d === posted[3] ? { ...posted[3], hash: 'k9.x' } : d)),
      /names the key k9, which LEDGER_KEY lacks/,
    ],
  ])('sees %s', async (_, documents, message) => {
    expect((await check(documents)).problems.join('\n')).toMatch(message);
  });

  it('sees an index that misses documents', async () => {
    const collection = new Collection(whole);
    const { problems } = await verify({ byId: () => collection.byId(), async *bySide() {} }, KEYS, TIME_ZONE);
    expect(problems.join('\n')).toMatch(/with a debit\n.*with a credit\n.*in the chains of fees/);
    const { problems: others } = await verify(
      { byId: () => collection.byId(), bySide: () => collection.bySide('credit') },
      KEYS,
      TIME_ZONE,
    );
    expect(others.join('\n')).toMatch(/the leg is missing/);
  });

  it('sees a balance below its floor, and a sum that is not zero', async () => {
    const [first, second] = posted as [PostedTransfer, PostedTransfer];
    const only = [{ ...second, debit: { ...second.debit, prev: '' } }];
    expect(first.credit.account).toBe(second.debit.account);
    expect((await check(only)).problems.join('\n')).toMatch(/wallet:ada: balance -\d+ is below its floor 0/);
    const collection = new Collection(whole);
    const { problems } = await verify(
      {
        byId: () => collection.byId(),
        async *bySide(side) {
          if (side === 'debit') yield* collection.bySide(side);
        },
      },
      KEYS,
      TIME_ZONE,
    );
    expect(problems.join('\n')).toMatch(/KES: all balances together are -\d+, not 0/);
  });

  it('checks, but does not count, what may come between two walks', async () => {
    const until = (posted[9] as PostedTransfer).at;
    const older = new Collection(whole.filter(({ at }) => at <= until));
    const all = new Collection(whole);
    const source = { byId: () => older.byId(), bySide: (side: Side) => all.bySide(side) };
    const { transfers, problems } = await verify(source, KEYS, TIME_ZONE, { until });
    expect([transfers, problems]).toEqual([10, []]);
    expect((await verify(source, KEYS, TIME_ZONE)).problems.join('\n')).toMatch(/10 transfers, but \d\d with a debit/);
    const broken = forged(20, ({ debit }) => ({ debit: { ...debit, total: 1n } }));
    expect((await verify(new Collection(broken), KEYS, TIME_ZONE, { until })).problems.join('\n')).toMatch(/total 1 where/);
  });

  it('knows a ledger by the heads of an earlier walk, however far it went on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length), async (one, other) => {
        const [earlier, later] = [whole.slice(0, Math.min(one, other)), whole.slice(0, Math.max(one, other))];
        const { heads } = await check(earlier);
        expect((await verify(new Collection(later), KEYS, TIME_ZONE, { known: heads })).problems).toEqual([]);
      }),
    );
  });

  it('sees a ledger cut off at its newest end', async () => {
    const { heads } = await check(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(posted.length - 1), async (length) => {
        const cut = new Collection(posted.slice(0, length));
        expect((await verify(cut, KEYS, TIME_ZONE)).problems).toEqual([]);
        const { problems } = await verify(cut, KEYS, TIME_ZONE, { known: heads });
        expect(problems.join('\n')).toMatch(/: ends with seq \d+, but an earlier walk found seq \d+/);
      }),
    );
  });

  it('sees a ledger that was made anew with its key, and went on since', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: 30 }), async (moves) => {
        const { heads } = await check(ledger(moves).documents);
        const anew = new Collection(ledger(60, 'SM2').documents);
        expect((await verify(anew, KEYS, TIME_ZONE)).problems).toEqual([]);
        const { problems } = await verify(anew, KEYS, TIME_ZONE, { known: heads });
        expect(problems.join('\n')).toMatch(/seq \d+ is not what an earlier walk found there/);
      }),
    );
  });

  it('counts days in the zone it is told', async () => {
    expect((await check(whole, 'Pacific/Auckland')).problems.join('\n')).toMatch(/dayTotal \d+ where \d+ is due/);
  });

  it('stops listing at a bound', async () => {
    const { problems } = await check(
      Array.from({ length: PROBLEMS_MAX + 5 }, (_, n) => ({ ...posted[0], _id: `pay:${n}` }) as never),
    );
    expect(problems).toHaveLength(PROBLEMS_MAX);
  });
});
