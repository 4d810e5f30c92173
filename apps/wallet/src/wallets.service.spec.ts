import { randomBytes, randomInt } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Cause,
  type Language,
  linkOf,
  minorUnits,
  type Msisdn,
  payOf,
  type PaymentId,
  ReadLedger,
  type Ref,
  type SmsId,
} from '#libs/contracts';
import { type TransferId, walletAccount, type WalletId, welcomeOf } from '#libs/contracts';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { encode } from 'zod';
import { newOrder, problemsOf, type WalletProcess, walletProcess } from './wallet.spec-helper.ts';

let mongo: MongoServer;
let one: WalletProcess;
let two: WalletProcess;
const database = `smspay_wallets_spec_${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  mongo = await startMongo();
  const uri = mongo.uri(database);
  [one, two] = await Promise.all([
    walletProcess(uri, { FEES: [{ upTo: '50.00', fee: '0.10' }, { fee: '1.00' }] }),
    walletProcess(uri),
  ]);
}, 120_000);

afterEach(async () => {
  expect(await problemsOf(one.transfers)).toEqual([]);
});

afterAll(async () => {
  await one?.connection.dropDatabase();
  await Promise.all([one?.stop(), two?.stop()]);
  await mongo?.stop();
});

const newNumber = () => `+2547${randomInt(10_000_000, 99_999_999)}` as Msisdn;
const newSms = () => `SM${randomBytes(16).toString('hex')}` as SmsId;
const join = (number = newNumber(), name = 'Ada', cause = newSms()) => ({ number, name, language: 'en' as Language, cause });

describe('opening a wallet', () => {
  it('opens one per number, with its welcome credit, and answers the same SMS the same', async () => {
    const ask = join();
    const opened = await one.people.open(ask);
    expect(opened).toEqual({
      result: 'opened',
      party: {
        number: ask.number,
        name: 'Ada',
        language: 'en',
        link: linkOf(ask.number),
        walletId: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
      balance: 10_000n,
      currency: 'KES',
    });
    expect(await two.people.open(ask)).toEqual(opened);
    expect(await two.people.open(join(ask.number, 'Eve'))).toEqual({ ...opened, result: 'exists' });
  });

  it('lets one of many win who ask at once', async () => {
    const number = newNumber();
    const asks = Array.from({ length: 8 }, () => join(number));
    const answers = await Promise.all(asks.map((ask, n) => (n % 2 ? one : two).people.open(ask)));
    expect(answers.filter(({ result }) => result === 'opened')).toHaveLength(1);
    expect(new Set(answers.map(({ party }) => party.walletId)).size).toBe(1);
    expect(new Set(answers.map(({ balance }) => balance))).toEqual(new Set([10_000n]));
  });

  it('heals what a crash left, and keeps the terms of the one who came first', async () => {
    const ask = join();
    const walletId = 'ab'.repeat(16) as WalletId;
    const link = { _id: linkOf(ask.number), walletId, cause: ask.cause, welcomeCredit: 700n, at: new Date() };
    await one.links.insertOne(link);
    expect(await one.people.balance(ask)).toEqual({ result: 'no_wallet' });
    expect(await two.people.open(join(ask.number, 'Ada B'))).toMatchObject({
      result: 'exists',
      balance: 700n,
      party: { walletId, name: 'Ada B' },
    });
    expect(await two.people.open(ask)).toMatchObject({ result: 'opened', balance: 700n, party: { walletId } });
  });

  it('gives nothing where nothing was promised, later neither', async () => {
    const none = await walletProcess(mongo.uri(database), { WELCOME_CREDIT: '0' });
    const ask = join();
    expect(await none.people.open(ask)).toMatchObject({ result: 'opened', balance: 0n });
    const { party, balance } = await one.people.open(ask);
    expect(balance).toBe(0n);
    expect(await one.ledger.find(welcomeOf(party.walletId))).toBeUndefined();
    await none.stop();
  });
});

describe('a wallet', () => {
  it('is known by its number, or it is none', async () => {
    const { number } = join();
    expect(await one.people.balance({ number })).toEqual({ result: 'no_wallet' });
    expect(await one.people.statement({ number, limit: 5 })).toEqual({ result: 'no_wallet' });
    const { party } = await one.people.open(join(number));
    expect(await one.people.balance({ number })).toEqual({
      result: 'balance',
      party,
      balance: 10_000n,
      held: 0n,
      currency: 'KES',
    });
  });

  it('quotes fee and people', async () => {
    const [payer, payee] = [await one.people.open(join()), await one.people.open(join(newNumber(), 'Ben'))];
    const ask = { payer: payer.party.number, payee: payee.party.number };
    expect(await one.people.quote({ ...ask, amount: minorUnits(5_000n) })).toEqual({
      payer: payer.party,
      payee: payee.party,
      fee: 10n,
      payerBalance: 10_000n,
      currency: 'KES',
    });
    expect(await one.people.quote({ ...ask, amount: minorUnits(5_001n) })).toMatchObject({ fee: 100n });
    expect(await two.people.quote({ ...ask, amount: minorUnits(5_001n) })).toMatchObject({ fee: 0n });
    const strangers = await one.people.quote({ payer: newNumber(), payee: newNumber(), amount: minorUnits(1n) });
    expect(strangers).toEqual({ payer: undefined, payee: undefined, fee: 10n, payerBalance: 0n, currency: 'KES' });
  });

  it('states what came and went, newest first, with the other person', async () => {
    const [ada, ben] = [(await one.people.open(join())).party, (await one.people.open(join(newNumber(), 'Ben'))).party];
    const [here, there] = [walletAccount(ada.walletId), walletAccount(ben.walletId)];
    const [first, second] = [7, 8].map((ref) => ({ ref: ref as Ref, amount: minorUnits(100n), fee: minorUnits(10n) }));
    await one.ledger.make(newOrder({ from: here, to: there, ...first }));
    await one.ledger.make(newOrder({ from: there, to: here, ...second }));
    const entry = { kind: 'payment', amount: 100n, other: { number: ben.number, name: 'Ben' }, at: expect.any(Date) };
    const statement = await two.people.statement({ number: ada.number, limit: 3 });
    expect(statement).toEqual({
      result: 'statement',
      balance: 9_990n,
      currency: 'KES',
      entries: [
        { ...entry, direction: 'in', ref: 8 },
        { ...entry, direction: 'out', ref: 7 },
        { direction: 'in', kind: 'welcome', amount: 10_000n, other: undefined, ref: undefined, at: expect.any(Date) },
      ],
    });
    expect(await two.people.statement({ number: ada.number, limit: 1 })).toMatchObject({ entries: [{ ref: 8 }] });
  });
});

const fund = (number: Msisdn, amount: bigint, transferId: string) =>
  one.people.fund({
    number,
    amount: minorUnits(amount),
    transferId: transferId as TransferId,
    memo: 'cash',
    cause: 'operator:eve' as Cause,
  });

describe('an operator’s top-up', () => {
  it('is made once per id, and only for a wallet that is there', async () => {
    const { number } = join();
    const id = `fund:${newSms()}`;
    expect(await fund(number, 500n, id)).toEqual({ result: 'no_wallet' });
    await one.people.open(join(number));
    expect(await fund(number, 500n, id)).toEqual({ result: 'made', balance: 10_500n, currency: 'KES' });
    expect(await fund(number, 500n, id)).toEqual({ result: 'made', balance: 10_500n, currency: 'KES' });
  });

  it('is refused under an id that was used for something else', async () => {
    const [ada, ben] = [(await one.people.open(join())).party, (await one.people.open(join())).party];
    const id = `fund:${newSms()}`;
    await fund(ada.number, 500n, id);
    await expect(fund(ada.number, 501n, id)).resolves.toEqual({ result: 'id_taken' });
    await expect(fund(ben.number, 500n, id)).resolves.toEqual({ result: 'id_taken' });
    expect(await one.people.balance({ number: ben.number })).toMatchObject({ balance: 10_000n });
  });

  it('can be refused under its id before it was made', async () => {
    const { number } = (await one.people.open(join())).party;
    const id = `fund:${newSms()}`;
    await one.ledger.refuse(id as TransferId, 'cancelled', 'operator:eve' as Cause);
    expect(await fund(number, 500n, id)).toEqual({ result: 'refused', reason: 'cancelled' });
  });
});

describe('the ledger as operators read it', () => {
  it('comes in pages in order of time, with refusals and owners', async () => {
    const { party } = await one.people.open(join());
    const account = walletAccount(party.walletId);
    const since = one.clock.now();
    const { transferId } = newOrder();
    await one.ledger.refuse(transferId, 'expired', 'timer:1' as Cause);
    const paid = newOrder({
      from: account,
      to: walletAccount('cd'.repeat(16) as WalletId),
      fee: minorUnits(10n),
      paymentId: 'SM9' as PaymentId,
    });
    await one.ledger.make(paid);
    await one.ledger.make({ ...paid, transferId: payOf(newSms() as string as PaymentId) });
    const page = await two.reader.read({ since, limit: 2 });
    expect(page).toEqual({
      entries: [
        { result: 'refused', transferId, reason: 'expired', at: expect.any(Date) },
        expect.objectContaining({
          result: 'made',
          transferId: paid.transferId,
          debit: { account, seq: 1, total: 110n },
          fee: expect.objectContaining({ account: 'fees:KES', amount: 10n }),
          memo: 'lunch',
        }),
      ],
      more: true,
      owners: { [account]: { number: party.number, name: 'Ada' } },
    });
    const rest = await two.reader.read({ since: page.entries[1]?.at, limit: 1_000 });
    expect(rest.entries.map(({ at }) => at.getTime())).toEqual(rest.entries.map(({ at }) => at.getTime()).sort());
    expect((await two.reader.read({ limit: 1 })).entries).toHaveLength(1);
    const last = page.entries[1];
    const next = await two.reader.read({ since: last?.at, after: last?.transferId, limit: 1_000 });
    expect([next.entries.length, next.more]).toEqual([1, false]);
  });

  it('comes in pages that fit an answer, and goes on where many have one moment', async () => {
    const at = new Date('2099-01-01T00:00:00Z');
    const memo = 'x'.repeat(100_000);
    const ids = Array.from({ length: 20 }, (_, n) => `pay:page-${String(n).padStart(2, '0')}`);
    const leg = { account: 'wallet:page', lane: 0, total: 1n, dayTotal: 0n, monthTotal: 0n, frozen: false, tier: 0, prev: '' };
    await two.transfers.collection.insertMany(
      ids.map((_id, n) => ({
        _id,
        kind: 'payment',
        currency: 'KES',
        amount: 1n,
        cause: 'SM1',
        memo,
        at,
        hash: '',
        debit: { ...leg, seq: n + 1 },
        credit: { ...leg, seq: n + 1 },
      })) as never,
    );
    const seen: string[] = [];
    let page = await two.reader.read({ since: at, limit: 1_000 });
    for (;;) {
      expect(Buffer.byteLength(JSON.stringify(encode(ReadLedger.response, page)))).toBeLessThan(1_000_000);
      seen.push(...page.entries.map(({ transferId }) => transferId));
      if (!page.more) break;
      page = await two.reader.read({ since: at, after: page.entries.at(-1)?.transferId, limit: 1_000 });
    }
    expect(seen).toEqual(ids);
    await two.transfers.collection.deleteMany({ _id: { $in: ids } } as never);
  });
});
