import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Phone, Town, until } from '#libs/testing';
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

const admin = (args: string | string[], change: Record<string, string> = {}) => run(args, { ...settings, ...change });

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
    ['dead-letters list --limit 0', {}, 'must be a whole number from 1 to 100000'],
    ['dead-letters replay', {}, 'say which: ids as they are listed, --all, --reason or --older-than'],
    ['dead-letters dismiss SM1 --all', {}, 'either ids, or --all, --reason and --older-than'],
  ])('refuses %s with %j and one line', async (args, change, line) => {
    expect(await admin(args, change as Record<string, string>)).toMatchObject({
      code: 1,
      printed: expect.stringContaining(line),
    });
  });
});

describe('admin dead-letters', () => {
  const inbox = () => town.db('sms-gateway').collection('inbox');
  const outbox = () => town.db('sms-gateway').collection('outbox');
  const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
  const idOf = (document: object | null) => (document as { _id: string } | null)?._id ?? '';

  it('says that there are none', async () => {
    expect(await admin('dead-letters list')).toEqual({ code: 0, printed: 'no dead letters\n' });
    expect(await admin('dead-letters replay SM1')).toEqual({ code: 1, printed: '0 dead letters driven again\n' });
    expect(await admin('dead-letters replay --all')).toEqual({ code: 1, printed: '0 dead letters driven again\n' });
  });

  it('lists them without numbers, and replays one', async () => {
    // What was answered before is found again by each step: nothing new comes of it.
    const dead = { reason: 'a fault', at: new Date() };
    const sms = await inbox().findOneAndUpdate({}, { $set: { dead, tries: 10 } });
    const id = idOf(sms);
    const { printed } = await admin('dead-letters list');
    expect(printed).toMatch(new RegExp(`^inbox  ${id}  \\+2547\\*{4}\\d{4}  since .*, 10 tries: a fault\n`));
    // An SMS's id is hexadecimal, and may hold as many digits in a row.
    expect(printed.replaceAll(id, '')).not.toMatch(/\d{9,}/);
    expect(await admin(`dead-letters replay ${id}`)).toEqual({ code: 0, printed: '1 dead letter driven again\n' });
    await town.checkInvariants();
  }, 60_000);

  it('replays many by reason and by age, page by page, and leaves what was refused for good', async () => {
    const texts = await outbox().find().toArray();
    const [template] = texts;
    if (!template) throw new Error('no text');
    // Texts that have arrived: a replay finds them in the provider's list, and sends none again.
    const letter = (n: number, reason: string, at: Date, more: object = {}) => {
      const { nextTryAt: _, ...text } = template;
      const own = { _id: `SMletter${n}:answer:${template['to']}`, callbackId: `letter${n}`, sid: `SMletter${n}` };
      return { ...text, ...own, state: 'queued', dropAt: new Date(0), tries: 20, dead: { reason, at }, ...more } as never;
    };
    const many = Array.from({ length: 250 }, (_, n) => letter(n, 'the provider is mad', hoursAgo(3)));
    await outbox().insertMany([
      ...many,
      letter(250, 'a fault', hoursAgo(1)),
      letter(251, 'provider error 21610', hoursAgo(5), { state: 'failed' }),
    ]);

    const listed = (await admin('dead-letters list --limit 1000')).printed.split('\n');
    expect(listed.filter((line) => line.startsWith('outbox'))).toHaveLength(252);
    expect(listed.join('\n')).not.toMatch(/\+\d{9,}/);
    expect((await admin('dead-letters list --limit 3')).printed).toContain('only the first 3: --limit shows more');
    expect((await admin('dead-letters list --older-than 4')).printed).toMatch(/^outbox  letter251 .*\n[^o]*$/);

    expect(await admin(['dead-letters', 'dismiss', '--older-than', '2', '--reason', 'the provider is sad'])).toMatchObject({
      code: 1,
    });
    expect(await admin(['dead-letters', 'replay', '--reason', 'the provider is mad'])).toEqual({
      code: 0,
      printed: '250 dead letters driven again\n',
    });
    expect(await admin('dead-letters replay --all')).toEqual({ code: 0, printed: '1 dead letter driven again\n' });
    expect(await admin('dead-letters dismiss letter251')).toEqual({ code: 0, printed: '1 dead letter put away\n' });
    expect(await admin('dead-letters list')).toEqual({ code: 0, printed: 'no dead letters\n' });
    // Their time was over long ago.
    await until(async () => (await outbox().countDocuments({ _id: /^SMletter/, state: 'dropped' })) === 251, {
      timeoutMs: 30_000,
      what: () => 'the letters to be dropped',
    });
    await outbox().deleteMany({ _id: /^SMletter/ as never });
  }, 120_000);
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

  it('says what to do if an index is missing', async () => {
    const transfers = town.db('wallet').collection('transfers');
    await transfers.dropIndex('debit.account_1_debit.seq_1');
    expect(await admin('verify')).toMatchObject({
      code: 1,
      printed: expect.stringMatching(/^the ledger lacks an index: start the wallet/),
    });
    await transfers.createIndex({ 'debit.account': 1, 'debit.seq': 1 }, { unique: true, sparse: true });
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
