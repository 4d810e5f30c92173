import { describe, expect, it } from '@jest/globals';
import type { AccountId, Cause, Currency, MinorUnits, TransferId } from '#libs/contracts';
import * as fc from 'fast-check';
import { signed } from './hash.ts';
import { Collection, KEYS, TIME_ZONE } from './model.spec-helper.ts';
import { type Order, post } from './post.ts';
import { ledgerOf } from './source.ts';
import {
  type Chain,
  chainName,
  chainOf,
  compareChains,
  creditHead,
  debitHead,
  feeChain,
  feeHead,
  type PostedTransfer,
  type TransferDocument,
} from './transfer.ts';
import { type ChainHead, type Leg, PROBLEMS_MAX, verify } from './verify.ts';

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

const check = (documents: TransferDocument[], timeZone = TIME_ZONE) => verify(ledgerOf(documents), KEYS, timeZone);

/** What a walk finds against the heads of an earlier one. */
const compare = async (documents: TransferDocument[], known: ChainHead[]) =>
  (await verify(ledgerOf(documents), KEYS, TIME_ZONE, { known })).problems;

async function headsOf(documents: TransferDocument[]): Promise<ChainHead[]> {
  const heads: ChainHead[] = [];
  await verify(ledgerOf(documents), KEYS, TIME_ZONE, { found: (head) => void heads.push(head) });
  return heads;
}

async function listOf<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const each of all) list.push(each);
  return list;
}

/** A source of the whole ledger whose walk by account is another. */
const walkedBy = (byAccount: (legs: AsyncIterable<Leg>) => AsyncIterable<Leg>) => ({
  byId: () => ledgerOf(whole).byId(),
  byAccount: () => byAccount(ledgerOf(whole).byAccount()),
});
const whole = ledger(30).documents;
const posted = whole.filter((document): document is PostedTransfer => document.kind !== 'refused');

/** A ledger whose credits and fees go on several lanes: money goes round, with a fee from ada and ben. */
function laned(moves: number): PostedTransfer[] {
  const documents: PostedTransfer[] = [];
  const newest = (wanted: Chain) =>
    documents.findLast((each) => {
      const chain = chainOf(wanted.side, each);
      return chain && compareChains(chain, wanted) === 0;
    });
  const fees = 'fees:KES' as AccountId;
  for (let n = 0; n < moves; n++) {
    const [from, to] = [ACCOUNTS[n % 3], ACCOUNTS[(n + 1) % 3]] as [AccountId, AccountId];
    const [creditLane, feeLane] = [[0, 11, 2][Math.floor(n / 3) % 3] ?? 0, n % 5];
    const order = {
      transferId: `pay:${n}` as TransferId,
      kind: 'payment',
      from,
      to,
      amount: BigInt(100 - (n % 3) * 10) as MinorUnits,
      fee: BigInt(n % 3 && 1) as MinorUnits,
      currency: 'KES' as Currency,
      memo: '',
      cause: 'SM1' as Cause,
      at: new Date(start + n * 7_200_000),
    } as const;
    const heads = {
      debit: debitHead(from, newest({ side: 'debit', account: from, lane: 0 })),
      credit: { ...creditHead(to, newest({ side: 'credit', account: to, lane: creditLane })), lane: creditLane },
      fee: feeHead(feeChain(fees, feeLane), newest(feeChain(fees, feeLane))),
      credits: 0n,
    };
    const posting = post(order, heads, { floor: undefined, timeZone: TIME_ZONE });
    if (posting.result === 'posted') documents.push(signed(posting.transfer, KEYS));
  }
  return documents;
}

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
    const report = await check(whole);
    expect(report).toEqual({
      transfers: posted.length,
      refusals: whole.length - posted.length,
      accounts: 4,
      chains: 13,
      sums: new Map([['KES', 0n]]),
      problems: [],
    });
    expect(report.refusals).toBeGreaterThan(0);
    expect(posted.some(({ fee }) => fee)).toBe(true);
  });

  it('finds nothing wrong with an empty ledger', async () => {
    expect(await check([])).toEqual({ transfers: 0, refusals: 0, accounts: 0, chains: 0, sums: new Map(), problems: [] });
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
    [
      'an account whose name is not ASCII',
      forged(4, ({ credit }) => ({ credit: { ...credit, account: 'wallet:bén' } })),
      /credit of wallet:bén: no account is named so/,
    ],
    ['a lane that is no number', forged(4, ({ credit }) => ({ credit: { ...credit, lane: 'x' } })), /its credit has no place in/],
    [
      'a seq that is no number',
      forged(4, ({ debit }) => ({ debit: { ...debit, seq: null } })),
      /its debit has no place in a chain/,
    ],
    ['an id that is no text', [...whole, { ...posted[0], _id: 7 } as never], /^7: an id is text$/m],
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
    const { problems } = await verify(
      walkedBy(async function* () {}),
      KEYS,
      TIME_ZONE,
    );
    expect(problems.join('\n')).toMatch(/with a debit\n.*with a credit\n.*in the chains of fees/);
    const asFees = walkedBy(async function* (legs) {
      for await (const { transfer } of legs) yield { side: 'fee', transfer };
    });
    expect((await verify(asFees, KEYS, TIME_ZONE)).problems.join('\n')).toMatch(/fee: the leg is missing/);
  });

  it('sees legs that come out of their order', async () => {
    const turned = walkedBy(async function* (legs) {
      yield* (await listOf(legs)).toReversed();
    });
    const { problems } = await verify(turned, KEYS, TIME_ZONE);
    expect(problems.join('\n')).toMatch(/credit treasury:KES 0 comes after debit wallet:ada 0/);
    expect(problems.join('\n')).toMatch(/debit treasury:KES 0 comes after credit treasury:KES 0/);
  });

  it('sees a balance below its floor, and a sum that is not zero', async () => {
    const [first, second] = posted as [PostedTransfer, PostedTransfer];
    const only = [{ ...second, debit: { ...second.debit, prev: '' } }];
    expect(first.credit.account).toBe(second.debit.account);
    expect((await check(only)).problems.join('\n')).toMatch(/wallet:ada: balance -\d+ is below its floor 0/);
    const debitsAlone = walkedBy(async function* (legs) {
      for await (const leg of legs) if (leg.side === 'debit') yield leg;
    });
    const { problems } = await verify(debitsAlone, KEYS, TIME_ZONE);
    expect(problems.join('\n')).toMatch(/KES: all balances together are -\d+, not 0/);
  });

  it('checks, but does not count, what may come between two walks', async () => {
    const until = (posted[9] as PostedTransfer).at;
    const older = ledgerOf(whole.filter(({ at }) => at <= until));
    const source = { byId: () => older.byId(), byAccount: () => ledgerOf(whole).byAccount() };
    const { transfers, problems } = await verify(source, KEYS, TIME_ZONE, { until });
    expect([transfers, problems]).toEqual([10, []]);
    expect((await verify(source, KEYS, TIME_ZONE)).problems.join('\n')).toMatch(/10 transfers, but \d\d with a debit/);
    const broken = forged(20, ({ debit }) => ({ debit: { ...debit, total: 1n } }));
    expect((await verify(ledgerOf(broken), KEYS, TIME_ZONE, { until })).problems.join('\n')).toMatch(/total 1 where/);
  });

  it('knows a ledger by the heads of an earlier walk, however far it went on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length), async (one, other) => {
        const [earlier, later] = [whole.slice(0, Math.min(one, other)), whole.slice(0, Math.max(one, other))];
        expect(await compare(later, await headsOf(earlier))).toEqual([]);
      }),
    );
  });

  it('sees a ledger cut off at its newest end', async () => {
    const heads = await headsOf(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(posted.length - 1), async (length) => {
        const cut = posted.slice(0, length);
        expect((await check(cut)).problems).toEqual([]);
        // One line for each chain that lost its end.
        const left = new Map((await headsOf(cut)).map(({ seq, ...chain }) => [chainName(chain), seq]));
        const lost = heads.filter((head) => head.seq > (left.get(chainName(head)) ?? 0));
        expect(await compare(cut, heads)).toEqual(
          lost.map((head) => {
            const name = chainName(head);
            return `${name}: ends with seq ${left.get(name) ?? 0}, but an earlier walk found seq ${head.seq}`;
          }),
        );
      }),
    );
  });

  it('sees a ledger that was made anew with its key, and went on since', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: 30 }), async (moves) => {
        const heads = await headsOf(ledger(moves).documents);
        const anew = ledger(60, 'SM2').documents;
        expect((await check(anew)).problems).toEqual([]);
        expect((await compare(anew, heads)).join('\n')).toMatch(/seq \d+ is not what an earlier walk found there/);
      }),
    );
  });

  it('tells the head of each chain in their order, and throws on heads in another', async () => {
    const heads = await headsOf(whole);
    expect(heads).toEqual(heads.toSorted(compareChains));
    for (const { side, account, lane, seq, hash } of heads) {
      const chain = posted.filter(
        (transfer) => transfer[side]?.account === account && (side === 'debit' || transfer[side]?.lane === lane),
      );
      expect([seq, hash]).toEqual([chain.length, chain.at(-1)?.hash]);
    }
    await expect(compare(whole, heads.toReversed())).rejects.toThrow(/out of order: .* after /);
  });

  it('walks lanes as chains of their own', async () => {
    const documents = laned(60);
    expect(new Set(documents.flatMap(({ fee }) => fee?.lane ?? []))).toEqual(new Set([0, 1, 2, 3, 4]));
    const heads = await headsOf(documents);
    expect(await compare(documents, heads)).toEqual([]);
    expect(heads.filter(({ side, account }) => side === 'credit' && account === 'wallet:ada').map(({ lane }) => lane)).toEqual([
      0, 2, 11,
    ]);
    const [one, other] = documents.filter(({ fee }) => fee?.lane === 3) as [PostedTransfer, PostedTransfer];
    const without = (gone: PostedTransfer) => documents.filter((document) => document !== gone);
    expect((await check(without(one))).problems.join('\n')).toMatch(/fee of fees:KES: seq 2 where 1 is due/);
    expect(other.fee?.prev).toBe(one.hash);
    expect((await compare(documents.slice(0, -1), heads)).join('\n')).toMatch(/^debit \S+ 0: ends with seq \d+, but an earlier/m);
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
