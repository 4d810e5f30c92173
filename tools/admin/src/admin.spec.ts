import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Phone, Town } from '#libs/testing';
import { run } from './admin.spec-helper.ts';

let town: Town;
let ada: Phone;
let settings: Record<string, string>;

beforeAll(async () => {
  town = await Town.open();
  settings = {
    MONGODB_URI: town.mongo.uri('smspay_wallet'),
    NATS_URL: town.nats.url,
    NATS_CREDS: join(dirname(town.secrets.LEDGER_KEY), 'admin.nk'),
    LEDGER_KEY: town.secrets.LEDGER_KEY,
    TIME_ZONE: 'Africa/Nairobi',
    CURRENCY: 'KES',
  };
  ada = await town.joins({ name: 'Ada', balance: '10.00' });
}, 180_000);

afterAll(async () => {
  await town?.close();
}, 60_000);

const admin = (args: string, change: Record<string, string> = {}) => run(args, { ...settings, ...change });

describe('admin fund', () => {
  it('tops up a wallet once per id', async () => {
    const got = `${ada.number} got KES 25.00; its balance is KES 35.00`;
    for (let time = 0; time < 2; time++) {
      const { code, printed } = await admin(`fund ${ada.number} 25.00 --id cash-1`);
      expect(printed).toContain(got);
      expect(printed).toContain('repeat the command with --id cash-1');
      expect(code).toBe(0);
    }
  });

  it('says so if it cannot', async () => {
    expect(await admin('fund +254711000000 25')).toMatchObject({
      code: 1,
      printed: expect.stringContaining('+254711000000 has no wallet'),
    });
    const other = await admin(`fund ${ada.number} 26.00 --id cash-1`);
    expect(other).toMatchObject({
      code: 1,
      printed: expect.stringContaining('was used before, for another wallet or another amount'),
    });
  });

  it.each([
    ['fund 0712345678 25', {}, '<number>: must be a phone number such as +254712345678, got 0712345678'],
    ['fund +254712345678 0', {}, '<amount>: must be an amount of KES above zero, such as 25.00, got 0'],
    ['fund +254712345678 5 --id a/b', {}, '--id: must be at most 90 letters, digits, "-", "_" or ":", got a/b'],
    ['fund +254712345678 5', { CURRENCY: 'shilling' }, 'CURRENCY: must be an ISO 4217 code such as KES, got shilling'],
    ['fund +254712345678 5', { NATS_URL: '' }, 'NATS_URL: is missing: NATS servers, comma separated: nats://host:4222'],
    ['fund +254712345678 5', { NATS_URL: 'nats://127.0.0.1:1' }, 'NATS_URL: nats://127.0.0.1:1 does not answer'],
    [
      'fund +254712345678 5',
      { NATS_CREDS: '/none' },
      "NATS_CREDS: cannot read /none: ENOENT: no such file or directory, access '/none'",
    ],
    ['verify', { MONGODB_URI: '' }, 'MONGODB_URI: is missing: a database, named in the URI: mongodb://host/smspay_wallet'],
    [
      'verify',
      { MONGODB_URI: 'mongodb://127.0.0.1:1/x' },
      'MONGODB_URI: the database does not answer: connect ECONNREFUSED 127.0.0.1:1',
    ],
    ['verify', { MONGODB_URI: 'mongodb://127.0.0.1:1/x?w=1' }, 'MONGODB_URI: w must be majority or absent, got 1'],
    [
      'verify',
      { LEDGER_KEY: '/none' },
      "LEDGER_KEY: cannot read the key file /none: ENOENT: no such file or directory, open '/none'",
    ],
    ['dead-letters list --limit 0', {}, 'must be a whole number from 1 to 100'],
  ])('refuses %s with %j and one line', async (args, change, line) => {
    expect(await admin(args, change as Record<string, string>)).toMatchObject({
      code: 1,
      printed: expect.stringContaining(line),
    });
  });
});

describe('admin dead-letters', () => {
  it('lists them, and replays one', async () => {
    expect(await admin('dead-letters list')).toEqual({ code: 0, printed: 'no dead letters\n' });
    const none = { code: 1, printed: 'there is no dead letter SM1 in the inbox\n' };
    expect(await admin('dead-letters replay inbox SM1')).toEqual(none);
    // What was answered before is found again by each step: nothing new comes of it.
    const dead = { reason: 'a fault', at: new Date() };
    const inbox = town.db('sms-gateway').collection('inbox');
    const sms = await inbox.findOneAndUpdate({}, { $set: { dead, tries: 10 } });
    expect((await admin('dead-letters list')).printed).toMatch(new RegExp(`^inbox  ${sms?._id}  since .*, 10 tries: a fault\n`));
    expect(await admin(`dead-letters replay inbox ${sms?._id}`)).toEqual({
      code: 0,
      printed: `inbox ${sms?._id} is driven again\n`,
    });
    await town.checkInvariants();
  }, 60_000);
});

describe('admin check-database', () => {
  it('finds that the database of the tests is one that money can rest on, and leaves nothing there', async () => {
    const { code, printed } = await admin('check-database');
    expect(printed).not.toContain('FAILED');
    expect(printed).toMatch(/(ok .*\n(?: .*\n)?){9}the ledger can rest on this database\n$/);
    expect(code).toBe(0);
    const collections = await town.db('wallet').listCollections().toArray();
    expect(collections.map(({ name }) => name).filter((name) => name.startsWith('check_'))).toEqual([]);
  }, 60_000);
});

describe('admin verify', () => {
  it('finds nothing wrong with the ledger, and sees one changed figure', async () => {
    const { code, printed } = await admin('verify');
    expect(printed).toMatch(/all balances together: KES 0\.00\n|^0 transfers/);
    expect(printed).toMatch(/\nno problems\n$/);
    expect(code).toBe(0);

    const transfers = town.db('wallet').collection<{ _id: string }>('transfers');
    await transfers.updateOne({ _id: 'fund:cash-1' }, { $inc: { amount: 1n } });
    const changed = await admin('verify');
    expect(changed.printed).toMatch(/PROBLEM fund:cash-1: the hash does not match\n/);
    expect(changed.code).toBe(1);
    await transfers.updateOne({ _id: 'fund:cash-1' }, { $inc: { amount: -1n } });
    expect((await admin('verify')).code).toBe(0);
  }, 60_000);

  it('sees that the newest transfer is gone, by the heads of the run before', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'smspay-heads-'));
    const command = `verify --heads ${join(folder, 'heads')}`;
    expect(await admin(command)).toMatchObject({ code: 0, printed: expect.stringContaining('the ends of 0 chains') });
    expect((await admin(`fund ${ada.number} 1.00 --id gone`)).code).toBe(0);
    expect(await admin(command)).toMatchObject({ code: 0, printed: expect.stringMatching(/the ends of [1-9]\d* chains/) });

    const transfers = town.db('wallet').collection<{ _id: string }>('transfers');
    const newest = await transfers.findOne({ _id: 'fund:gone' });
    await transfers.deleteOne({ _id: 'fund:gone' });
    const kept = await readFile(join(folder, 'heads'), 'utf8');
    expect((await admin('verify')).code).toBe(0);
    expect(await admin(command)).toMatchObject({
      code: 1,
      printed: expect.stringMatching(/PROBLEM credit wallet:\w+ 0: ends with seq \d+, but an earlier walk found seq \d+\n/),
    });
    expect(await readFile(join(folder, 'heads'), 'utf8')).toBe(kept);

    if (newest) await transfers.insertOne(newest);
    expect((await admin(command)).code).toBe(0);
    await writeFile(join(folder, 'heads'), 'nonsense\n');
    expect(await admin(command)).toMatchObject({ code: 1, printed: expect.stringContaining('line 1 is no head of a chain') });
    await rm(folder, { recursive: true });
  }, 60_000);
});
