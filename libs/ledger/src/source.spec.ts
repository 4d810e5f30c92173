import { describe, expect, it } from '@jest/globals';
import type { AccountId, Cause, Currency, MinorUnits, TransferId } from '#libs/contracts';
import * as fc from 'fast-check';
import { Collection, KEYS, TIME_ZONE } from './model.spec-helper.ts';
import type { Order } from './post.ts';
import { ledgerOf, ledgerSource } from './source.ts';
import type { PostedTransfer } from './transfer.ts';
import { verify } from './verify.ts';

const ACCOUNTS = ['treasury:KES', 'fees:KES', ...Array.from('abcdefgh', (name) => `wallet:${name}`)] as AccountId[];
const UNTIL = new Date('2026-11-29T12:00:00Z');

/** A collection that reads along an index as MongoDB does: ranges hold values of one type. */
class IndexedCollection {
  reads = 0;
  constructor(
    readonly documents: readonly object[],
    readonly beforeRead: () => void = () => undefined,
  ) {}

  find(filter: object, { hint, limit }: { hint: object; limit: number }) {
    const valueOf = (document: object, path: string) =>
      path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
    return {
      toArray: async () => {
        this.reads++;
        this.beforeRead();
        return this.documents
          .filter((document) => Object.entries(filter).every(([path, wanted]) => isIn(valueOf(document, path), wanted)))
          .sort((one, other) => {
            const field = Object.keys(hint).find((path) => valueOf(one, path) !== valueOf(other, path));
            return field && (valueOf(one, field) as string) < (valueOf(other, field) as string) ? -1 : 1;
          })
          .slice(0, limit);
      },
    };
  }
}

function isIn(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return value === wanted;
  return Object.entries(wanted).every(([operator, bound]) => {
    if (operator === '$not') return !isIn(value, bound);
    if (typeof value !== typeof bound) return false;
    const [one, other] = [value as string, bound as string];
    return operator === '$gt' ? one > other : operator === '$gte' ? one >= other : operator === '$lt' && one < other;
  });
}

interface Move {
  from: number;
  to: number;
  amount: number;
  fee: number;
}

/** Half of them bring money in. */
const anyMove = fc.record<Move>({
  from: fc.oneof(fc.constant(0), fc.nat(ACCOUNTS.length - 1)),
  to: fc.nat(ACCOUNTS.length - 1),
  amount: fc.integer({ min: 1, max: 3 }),
  fee: fc.nat(1),
});

/** Makes moves one after the other, a second apart, until `UNTIL` and from then on. */
class Mover {
  readonly collection = new Collection();
  #made = 0;

  balanceOf(n: number): number {
    const [account, other] = [ACCOUNTS[n], ACCOUNTS[0]] as [AccountId, AccountId];
    const { credits, debit } = this.collection.headsFor({ from: account, to: other, currency: 'KES' as Currency });
    return Number(credits - debit.total);
  }

  make({ from, to, amount, fee }: Move, after: 'before' | 'meanwhile'): void {
    if (from === to) return;
    const n = this.#made++;
    this.collection.take({
      transferId: `pay:${String((n * 7_919) % 100_003).padStart(6, '0')}` as TransferId,
      kind: 'payment',
      from: ACCOUNTS[from],
      to: ACCOUNTS[to],
      amount: BigInt(amount) as MinorUnits,
      fee: BigInt(from === 0 ? 0 : fee) as MinorUnits,
      currency: 'KES' as Currency,
      memo: '',
      cause: 'SM1' as Cause,
      at: new Date(UNTIL.getTime() + (after === 'before' ? -1_000_000 : 1) + n * 1_000),
    } as Order);
  }
}

const listOf = async <T>(all: AsyncIterable<T>) => {
  const list: T[] = [];
  for await (const each of all) list.push(each);
  return list;
};

describe('ledgerSource', () => {
  it('gives every document and every leg in order, whatever a page holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyMove, { maxLength: 60 }), fc.integer({ min: 2, max: 9 }), async (moves, page) => {
        const mover = new Mover();
        for (const move of moves) mover.make(move, 'before');
        const { documents } = mover.collection;
        const source = ledgerSource(new IndexedCollection(documents), page);
        expect(await listOf(source.byId())).toEqual(await listOf(ledgerOf(documents).byId()));
        expect(await listOf(source.byAccount())).toEqual(await listOf(ledgerOf(documents).byAccount()));
      }),
      { numRuns: 300 },
    );
  });

  it('finds nothing wrong with a ledger in which money moves between any two reads', async () => {
    // Who gets something has it from the last of all accounts, and gives all they have back to it at once.
    const wallets = ACCOUNTS.flatMap((account, n) => (account.startsWith('wallet:') ? n : [])).slice(0, -1);
    const bank = ACCOUNTS.length - 1;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(6), { minLength: wallets.length, maxLength: wallets.length }),
        fc.array(fc.subarray(wallets), { minLength: 20, maxLength: 20 }),
        fc.integer({ min: 2, max: 8 }),
        async (payments, meanwhile, page) => {
          const mover = new Mover();
          mover.make({ from: 0, to: bank, amount: 1_000, fee: 0 }, 'before');
          for (const [n, count] of payments.entries()) {
            const wallet = wallets[n] ?? 0;
            mover.make({ from: bank, to: wallet, amount: 6, fee: 0 }, 'before');
            for (let payment = 0; payment < count; payment++) mover.make({ from: wallet, to: bank, amount: 1, fee: 0 }, 'before');
          }
          const { collection } = mover;
          const transfers = collection.posted().length;
          const rounds = meanwhile.values();
          const indexed = new IndexedCollection(collection.documents, () => {
            for (const wallet of rounds.next().value ?? []) {
              mover.make({ from: bank, to: wallet, amount: 1, fee: 0 }, 'meanwhile');
              mover.make({ from: wallet, to: bank, amount: mover.balanceOf(wallet), fee: 0 }, 'meanwhile');
            }
          });
          const source = {
            byId: () => ledgerOf(collection.documents).byId(),
            byAccount: () => ledgerSource(indexed, page).byAccount(),
          };
          const report = await verify(source, KEYS, TIME_ZONE, { until: UNTIL });
          expect([report.problems, report.transfers]).toEqual([[], transfers]);
        },
      ),
    );
  });

  it('loses nothing where the unique index does not hold, or says so', async () => {
    const mover = new Mover();
    for (let n = 0; n < 12; n++) mover.make({ from: 0, to: 1 + (n % 4), amount: 1, fee: 0 }, 'before');
    const posted = mover.collection.posted();
    const twinsOf = (transfer: PostedTransfer, count: number) =>
      Array.from({ length: count }, (_, n) => ({ ...transfer, _id: `pay:twin${n}` as TransferId }));
    for (const transfer of posted) {
      const documents = [...posted, ...twinsOf(transfer, 3)];
      const legs = await listOf(ledgerSource(new IndexedCollection(documents), 5).byAccount());
      for (const side of ['debit', 'credit'] as const) {
        const ids = legs.filter((leg) => leg.side === side).map((leg) => leg.transfer._id);
        expect(ids.toSorted()).toEqual(documents.map(({ _id }) => _id).toSorted());
      }
    }
    const many = ledgerSource(new IndexedCollection([...twinsOf(posted[0] as PostedTransfer, 5), ...posted.slice(1)]), 5);
    await expect(listOf(many.byAccount())).rejects.toThrow(
      /^the index of \w+.account, .* is not unique: too many documents have .*, 1$/,
    );
  });

  it('gives a document whose id is no text, and throws where a place is none', async () => {
    const mover = new Mover();
    for (let n = 0; n < 12; n++) mover.make({ from: 0, to: 1 + (n % 2), amount: 1, fee: 0 }, 'before');
    const documents = mover.collection.posted();
    for (const _id of [7, null, { of: 'another' }, new Date(0)]) {
      const { problems } = await verify(ledgerSource(new IndexedCollection([...documents, { _id }]), 5), KEYS, TIME_ZONE);
      expect(problems.join('\n')).toContain(`${String(_id)}: an id is text`);
    }
    const odd = documents.map((each) => structuredClone(each));
    for (const { credit } of odd) credit.lane = { of: 'another' } as never;
    await expect(listOf(ledgerSource(new IndexedCollection(odd), 5).byAccount())).rejects.toThrow(
      /^pay:\d+: credit.lane cannot be \[object Object\]$/,
    );
  });

  it('reads few pages more than there are, even if accounts fill several', async () => {
    const mover = new Mover();
    for (let n = 0; n < 100; n++) mover.make({ from: 0, to: 1 + (n % 4), amount: 1, fee: 0 }, 'before');
    const collection = new IndexedCollection(mover.collection.documents);
    expect(await listOf(ledgerSource(collection, 10).byAccount())).toHaveLength(200);
    expect(collection.reads).toBeLessThan(50);
  });
});
