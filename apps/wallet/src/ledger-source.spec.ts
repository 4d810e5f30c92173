import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { ledgerOf, ledgerSource, type TransferDocument } from '#libs/ledger';
import type { mongo } from 'mongoose';
import { type WalletProcess, walletProcess } from './wallet.spec-helper.ts';

let server: MongoServer;
let wallet: WalletProcess;
let transfers: mongo.Collection;

beforeAll(async () => {
  server = await startMongo();
  wallet = await walletProcess(server.uri(`smspay_walk_spec_${randomBytes(4).toString('hex')}`));
  transfers = wallet.transfers.collection as never;
}, 120_000);

afterAll(async () => {
  await wallet?.connection.dropDatabase();
  await wallet?.stop();
  await server?.stop();
});

const listOf = async <T>(all: AsyncIterable<T>) => {
  const list: T[] = [];
  for await (const each of all) list.push(each);
  return list;
};

/** Legs as the indexes see them, of few and of many to an account and lane; and refusals, which they do not see. */
function documents(): TransferDocument[] {
  const accounts = ['fees:KES', 'treasury:KES', 'wallet:0', 'wallet:00', 'wallet:A', 'wallet:a', 'wallet:a-b', 'wallet:b_c'];
  const seqs = new Map<string, number>();
  const next = (chain: string) => seqs.set(chain, (seqs.get(chain) ?? 0) + 1).get(chain);
  return Array.from({ length: 60 }, (_, n) => {
    const [from, to] = [accounts[n % 2 ? 1 : (n * 7) % 8], accounts[(n * 5 + 3) % 8]];
    const [lane, feeLane] = [(n * 3) % 12, n % 16];
    const _id = `pay:${(n * 37) % 100}`;
    if (n % 9 === 0) return { _id, kind: 'refused', at: new Date(0) } as TransferDocument;
    return {
      _id,
      debit: { account: from, seq: next(`debit ${from}`) },
      credit: { account: to, lane, seq: next(`credit ${to} ${lane}`) },
      ...(n % 4 === 0 && { fee: { account: 'fees:KES', lane: feeLane, seq: next(`fee ${feeLane}`) } }),
    } as TransferDocument;
  });
}

describe('ledgerSource on a database', () => {
  it('gives every document and every leg in order, whatever a page holds', async () => {
    const all = documents();
    await transfers.insertMany(all as never);
    const [ids, legs] = [await listOf(ledgerOf(all).byId()), await listOf(ledgerOf(all).byAccount())];
    for (const page of [2, 3, 7, 59, 60, 61, 1_000]) {
      const source = ledgerSource(transfers, page);
      expect(await listOf(source.byId())).toEqual(ids);
      expect(await listOf(source.byAccount())).toEqual(legs);
    }
  });

  it('walks indexes and sorts nothing', async () => {
    const plans: string[] = [];
    const explained = {
      find: (filter: object, options: object) => ({
        toArray: async () => {
          const plan = await transfers.find(filter, options).explain('queryPlanner');
          plans.push(JSON.stringify(plan['queryPlanner'], (_, value) => (typeof value === 'bigint' ? Number(value) : value)));
          return transfers.find(filter, options).toArray();
        },
      }),
    };
    const source = ledgerSource(explained, 20);
    await listOf(source.byId());
    await listOf(source.byAccount());
    expect(plans.length).toBeGreaterThan(10);
    // The stand-in sorts what it found by an index.
    const wrong = server.description.startsWith('SecantusDB') ? /"COLLSCAN"/ : /"COLLSCAN"|"SORT/;
    for (const plan of plans) {
      expect(plan).toContain('"IXSCAN"');
      expect(plan).not.toMatch(wrong);
    }
  });

  it('fails where an index is missing, rather than sort the whole ledger for each page', async () => {
    await transfers.dropIndex('fee.account_1_fee.lane_1_fee.seq_1');
    await expect(listOf(ledgerSource(transfers).byAccount())).rejects.toThrow(/hint/);
    await wallet.transfers.createIndexes();
    expect(await listOf(ledgerSource(transfers).byAccount())).not.toEqual([]);
  });
});
