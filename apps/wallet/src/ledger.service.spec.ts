import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type AccountId, type Cause, type Currency, minorUnits, type RefusalReason } from '#libs/contracts';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { ledgerSource, verify } from '#libs/ledger';
import { realHost } from '#libs/runtime';
import {
  FEES,
  KEYS,
  newAccount,
  TREASURY,
  newOrder,
  problemsOf,
  type WalletProcess,
  walletProcess,
} from './wallet.spec-helper.ts';

let mongo: MongoServer;
let processes: WalletProcess[];
let one: WalletProcess;
let two: WalletProcess;
const database = `smspay_ledger_spec_${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  mongo = await startMongo();
  processes = await Promise.all(Array.from({ length: 3 }, () => walletProcess(mongo.uri(database))));
  [one, two] = processes as [WalletProcess, WalletProcess];
}, 120_000);

afterEach(async () => {
  expect(await problemsOf(one.transfers)).toEqual([]);
});

afterAll(async () => {
  await one?.connection.dropDatabase();
  await Promise.all(processes?.map((process) => process.stop()) ?? []);
  await mongo?.stop();
});

/** A new account with 1.00. */
async function funded() {
  const account = newAccount();
  await one.ledger.make(newOrder({ to: account }));
  return account;
}

describe('the ledger', () => {
  it('moves money once per id, whoever asks and however often', async () => {
    const [from, to] = [await funded(), newAccount()];
    const order = newOrder({ from, to, amount: minorUnits(60n), fee: minorUnits(3n) });
    const made = { result: 'made', kind: 'payment', cause: 'SM1', payerBalance: 37n, payeeBalance: 60n, at: expect.any(Date) };
    expect(await one.ledger.make(order)).toEqual(made);
    expect(await one.ledger.make(order)).toEqual(made);
    expect(await two.ledger.make({ ...order, cause: 'SM2' as Cause })).toEqual(made);
    const answers = await Promise.all(processes.flatMap(({ ledger }) => [ledger.make(order), ledger.make(order)]));
    expect(answers).toEqual(answers.map(() => made));
  });

  it('is found right by a walk while money moves', async () => {
    const accounts = [await funded(), await funded(), newAccount()];
    const until = new Date(one.clock.now().getTime() - 1);
    const walk = { isOver: false };
    // All that an account has goes on to the next.
    const moves = (async () => {
      for (let n = 0; !walk.isOver; n++) {
        const [from, to] = [accounts[n % 3], accounts[(n + 1) % 3]] as const;
        const amount = from ? await one.chains.balanceOf(from) : 0n;
        if (amount > 0n) await one.ledger.make(newOrder({ from, to, amount: minorUnits(amount) }));
      }
    })();
    for (let round = 0; round < 3; round++) {
      const { problems } = await verify(ledgerSource(one.transfers.collection, 2), KEYS, 'Africa/Nairobi', { until });
      expect(problems).toEqual([]);
    }
    walk.isOver = true;
    await moves;
  });

  it('stores every field', async () => {
    const [from, to] = [await funded(), newAccount()];
    const order = newOrder({ from, to, fee: minorUnits(0n), amount: minorUnits(40n), memo: 'half 🍲'.slice(0, 6) });
    await one.ledger.make(order);
    const { transferId: _id, ref, cause } = order;
    const leg = { seq: 1, total: 40n, tier: 0 };
    expect(await two.ledger.find(_id)).toEqual({
      _id,
      kind: 'payment',
      currency: 'KES',
      amount: 40n,
      ref,
      cause,
      memo: 'half \ufffd',
      debit: { ...leg, account: from, dayTotal: 0n, monthTotal: 0n, frozen: false, prev: '' },
      credit: { ...leg, account: to, lane: 0, prev: '' },
      at: expect.any(Date),
      hash: expect.stringMatching(/^k1\.[\w-]{43}$/),
    });
  });

  it('refuses what is not there, for ever, even if the money comes later', async () => {
    const from = await funded();
    const order = newOrder({ from, to: newAccount(), amount: minorUnits(98n), fee: minorUnits(3n) });
    const refused = { result: 'refused', reason: 'insufficient_funds', cause: 'SM1' };
    expect(await one.ledger.make(order)).toEqual({ ...refused, payerBalance: 100n });
    await one.ledger.make(newOrder({ to: from }));
    expect(await two.ledger.make(order)).toEqual({ ...refused, payerBalance: 200n });
    expect(await two.ledger.refuse(order.transferId, 'expired', 'SM3' as Cause)).toEqual(refused);
    expect(await two.ledger.refuse(order.transferId, 'expired', 'SM3' as Cause, from)).toEqual({
      ...refused,
      payerBalance: 200n,
    });
  });

  it('answers a refusal of what was made with the transfer', async () => {
    const order = newOrder({ to: newAccount() });
    await one.ledger.make(order);
    expect(await two.ledger.refuse(order.transferId, 'expired', 'timer:1' as Cause)).toMatchObject({
      result: 'made',
      cause: 'SM1',
    });
  });

  it('throws on what is no transfer of this ledger, and stores nothing', async () => {
    const order = newOrder({ to: newAccount(), currency: 'USD' as Currency });
    await expect(one.ledger.make(order)).rejects.toThrow('is in USD, the ledger in KES');
    await expect(one.ledger.make(newOrder())).rejects.toThrow('to itself');
    const nobody = newOrder({ to: newAccount(), cause: undefined as never });
    await expect(one.ledger.make(nobody)).rejects.toThrow('`cause` is required');
    expect(await one.ledger.find(nobody.transferId)).toBeUndefined();
  });

  it('lets exactly one of many payments of the whole balance through, over three processes (F7)', async () => {
    for (let round = 0; round < 5; round++) {
      const from = await funded();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => processes[n % 3]?.ledger.make(newOrder({ from, to: newAccount() }))),
      );
      const results = answers.map((answer) => answer?.result);
      expect(results.filter((result) => result === 'made')).toHaveLength(1);
      expect(results.filter((result) => result === 'refused')).toHaveLength(19);
      expect(await one.chains.balanceOf(from)).toBe(0n);
    }
  }, 60_000);

  it('takes a burst on one chain from three processes: each is made, in one chain without gaps', async () => {
    const to = newAccount();
    const before = await one.chains.balanceOf(FEES);
    const orders = Array.from({ length: 30 }, () => newOrder({ to, fee: minorUnits(2n) }));
    const answers = await Promise.all(orders.map((order, n) => processes[n % 3]?.ledger.make(order)));
    expect(new Set(answers.map((answer) => answer?.result))).toEqual(new Set(['made']));
    expect(await two.chains.balanceOf(to)).toBe(3_000n);
    expect((await two.chains.balanceOf(FEES)) - before).toBe(60n);
  }, 60_000);

  it('lets one payment with a fee pass another that takes long, where they share nothing but who earns the fees', async () => {
    const [ada, eve] = [await funded(), await funded()];
    const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const insertOne = one.transfers.insertOne.bind(one.transfers) as (...given: unknown[]) => Promise<never>;
    jest.spyOn(one.transfers, 'insertOne').mockImplementationOnce(async (...given: unknown[]) => {
      begun.resolve();
      await held.promise;
      return insertOne(...given);
    });
    const pays = (from: AccountId) =>
      one.ledger.make(newOrder({ from, to: newAccount(), amount: minorUnits(60n), fee: minorUnits(3n) }));
    const slow = pays(ada);
    await begun.promise;
    const other = pays(eve);
    const first = await Promise.race([other, new Promise((resolve) => setTimeout(resolve, 2_000, 'it waits'))]);
    held.resolve();
    expect(await Promise.all([slow, other])).toMatchObject([{ result: 'made' }, { result: 'made' }]);
    expect(first).toMatchObject({ result: 'made' });
  });

  it('decides between a transfer and its refusal once, and tells both the same (F10)', async () => {
    const reasons: RefusalReason[] = ['expired', 'cancelled'];
    for (let round = 0; round < 10; round++) {
      const order = newOrder({ to: newAccount() });
      const [made, ...refused] = await Promise.all([
        one.ledger.make(order),
        ...reasons.map((reason) => two.ledger.refuse(order.transferId, reason, 'timer:1' as Cause, order.from)),
      ]);
      for (const answer of refused) expect(answer).toEqual(made);
      expect(await one.chains.balanceOf(order.to)).toBe(made?.result === 'made' ? 100n : 0n);
    }
  }, 60_000);

  it('finds its transfer again when the reply to the insert is lost (F10)', async () => {
    const proxy = await losingProxy(mongo.port);
    const behind = await walletProcess(mongo.uri(database).replace(/:\d+\//, `:${proxy.port}/`));
    try {
      for (const order of [newOrder({ to: newAccount() }), newOrder({ to: newAccount(), fee: minorUnits(1n) })]) {
        const lost = proxy.loseReplyToInsert();
        expect(await behind.ledger.make(order)).toMatchObject({ result: 'made', payeeBalance: 100n });
        await lost;
        expect(await one.chains.balanceOf(order.to)).toBe(100n);
      }
      const refusal = newOrder();
      const lost = proxy.loseReplyToInsert();
      expect(await behind.ledger.refuse(refusal.transferId, 'expired', 'timer:1' as Cause)).toMatchObject({ reason: 'expired' });
      await lost;
    } finally {
      await behind.stop();
      proxy.close();
    }
  }, 30_000);

  it('writes nothing while its clock and the database’s differ', async () => {
    const late = { ...realHost, now: () => new Date(Date.now() - 5_000) };
    const wrong = await walletProcess(mongo.uri(database), {}, late);
    try {
      const order = newOrder({ to: newAccount() });
      await expect(wrong.ledger.make(order)).rejects.toThrow('is unavailable');
      expect(await one.ledger.find(order.transferId)).toBeUndefined();
    } finally {
      await wrong.stop();
    }
  });

  it('answers no order with what its id made of another', async () => {
    const order = newOrder({ to: newAccount(), fee: minorUnits(10n) });
    await one.ledger.make(order);
    for (const change of [
      { kind: 'top_up' },
      { from: newAccount() },
      { to: newAccount() },
      { amount: minorUnits(1n) },
      { fee: minorUnits(0n) },
    ] as const)
      expect(await two.ledger.make({ ...order, ...change })).toEqual({ result: 'id_taken', cause: 'SM1' });
  });

  it('answers any order with the refusal of its id', async () => {
    const order = newOrder({ from: newAccount() });
    const refused = await one.ledger.make(order);
    expect(refused).toMatchObject({ result: 'refused', reason: 'insufficient_funds' });
    const other = { ...order, from: TREASURY, amount: minorUnits(7n) };
    expect(await two.ledger.make(other)).toEqual({ ...refused, payerBalance: await two.chains.balanceOf(TREASURY) });
  });

  it('works only on unique indexes', async () => {
    const indexes = await one.transfers.listIndexes();
    const unique = indexes.filter((index) => index['unique']).map((index) => Object.keys(index['key'] as object).join());
    expect(unique.sort()).toEqual([
      'credit.account,credit.lane,credit.seq',
      'debit.account,debit.seq',
      'fee.account,fee.lane,fee.seq',
    ]);
  });
});

describe('the end of a chain', () => {
  it('is found from nothing, from near and from far', async () => {
    const account = newAccount();
    const chain = { side: 'credit', account, lane: 0 } as const;
    const stale = (await walletProcess(mongo.uri(database))) as WalletProcess;
    const collection = one.connection.collection('transfers');
    let seq = 0;
    for (const length of [1, 2, 3, 20, 21, 22, 64, 65, 700]) {
      const credits = Array.from({ length: length - seq }, () => ({ account, lane: 0, seq: ++seq, total: BigInt(seq) }));
      await collection.insertMany(
        credits.map((credit) => ({ _id: `${account}:${credit.seq}` as never, kind: 'payment', credit })),
      );
      const fresh = await walletProcess(mongo.uri(database));
      for (const { chains } of [fresh, one, ...(length % 2 ? [] : [stale])]) {
        expect((await chains.newestOf(chain))?.credit.seq).toBe(length);
      }
      expect((await fresh.chains.lastOf(chain, 3)).map(({ credit }) => credit.seq)).toEqual(
        [length, length - 1, length - 2].filter((seq) => seq > 0),
      );
      await fresh.stop();
    }
    // A database put back to an earlier state.
    await collection.deleteMany({ 'credit.account': account, 'credit.seq': { $gt: 30 } });
    expect((await one.chains.newestOf(chain))?.credit.seq).toBe(30);
    await collection.deleteMany({ 'credit.account': account });
    expect(await one.chains.newestOf(chain)).toBeUndefined();
    expect(await one.chains.lastOf(chain, 5)).toEqual([]);
    await stale.stop();
  }, 60_000);
});

/** Stands between a client and the database, and can lose the reply to an insert, connection and all. */
async function losingProxy(port: number) {
  let lost: (() => void) | undefined;
  const server: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let losing: (() => void) | undefined;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (data) => {
      if (lost && data.includes('insert') && data.includes('transfers')) [losing, lost] = [lost, undefined];
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (!losing) return client.write(data);
      end();
      return losing();
    });
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    /** Resolves when a reply was lost. */
    loseReplyToInsert: () => new Promise<void>((resolve) => (lost = resolve)),
    close: () => server.close(),
  };
}
