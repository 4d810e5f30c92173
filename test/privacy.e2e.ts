import { createServer, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FundWallet, ListDeadLetters } from '#libs/contracts';
import { NatsLink } from '#libs/messaging';
import type { CreateOutcome } from '#libs/simulated-twilio';
import { DATABASES, type Phone, Town, until } from '#libs/testing';
import getPort from 'get-port';
import { run } from '../tools/admin/src/admin.spec-helper.ts';
import { printable } from '../tools/admin/src/settings.ts';

const PATIENCE_MS = 90_000;
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** Names and memo words: nothing else here says them. */
const NAMES = ['Adalberta', 'Benvenuto', 'Cunigunde'] as const;
const MEMOS = ['marzipan', 'rickshaw', 'zeppelin', 'roulette'] as const;

/** PINs, of which nothing but their hashes is kept: of eight digits, so that nothing else says them by chance. */
const PINS = ['83069274', '59381607', '40728153'] as const;

/** Where a name or a memo stands in the clear by design: what wallets are called, and what a payment is for. */
const NAMED_BY_DESIGN = new Set([
  'wallet.wallets.name',
  'wallet.transfers.memo',
  'transactions.payments.payer.name',
  'transactions.payments.payee.name',
  'transactions.payments.other.name',
  'transactions.payments.memo',
]);

/** Something that somebody said, and where. */
interface Said {
  where: string;
  text: string;
}

/** What nobody but the two people of it may read. */
class Secrets {
  readonly #phones: readonly Phone[];
  readonly #sent: readonly string[];

  constructor(phones: readonly Phone[], sent: readonly string[]) {
    this.#phones = phones;
    this.#sent = sent;
  }

  /** All that people sent and got. */
  get bodies(): string[] {
    return [...this.#sent, ...this.#phones.flatMap((phone) => phone.texts())];
  }

  get codes(): Set<string> {
    return new Set(this.bodies.flatMap((body) => body.match(/\b(?:\d{6}|\d{9})\b/g) ?? []));
  }

  /** What of `text` is a number in any writing, a code, a PIN, words of a text, a name or a memo. */
  in(text: string): string[] {
    const found = [
      // +254712000001, 254712000001, 0712000001, and behind %2B.
      ...this.#phones.map(({ number }) => number.slice('+254'.length)),
      ...NAMES,
      ...MEMOS,
      ...PINS,
      ...this.texts,
    ].filter((secret) => text.includes(secret));
    const codes = [...this.codes].filter((code) => new RegExp(`(?<![0-9A-Za-z])${code}(?![0-9A-Za-z])`).test(text));
    return [...found, ...codes];
  }

  /** The lines of all texts but the shortest, as they are and as JSON writes them. */
  get texts(): string[] {
    const lines = this.bodies.flatMap((body) => body.split('\n')).filter((line) => line.length >= 10);
    return [...new Set(lines.flatMap((line) => [line, JSON.stringify(line).slice(1, -1)]))];
  }
}

/** Collects spans as OTLP/HTTP brings them. */
class Collector {
  readonly spans: string[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.spans.push(Buffer.concat(chunks).toString());
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    });
  });

  async listen(): Promise<Record<string, string>> {
    const port = await getPort();
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '100' };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A town whose every word is kept. */
class Overheard {
  readonly sent: string[] = [];
  readonly phones: Phone[] = [];
  readonly printed: Said[] = [];
  readonly collector = new Collector();
  town!: Town;
  #dir = '';

  async open(options: Parameters<typeof Town.open>[0]): Promise<void> {
    this.#dir = await mkdtemp(join(tmpdir(), 'smspay-privacy-'));
    const tracing = await this.collector.listen();
    this.town = await Town.open({ ...options, env: { ...options?.env, ...tracing } });
  }

  async close(): Promise<void> {
    await this.town?.close();
    this.collector.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  get secrets(): Secrets {
    return new Secrets(this.phones, this.sent);
  }

  phone(name: string): Phone {
    const phone = this.town.phone(name);
    this.phones.push(phone);
    return phone;
  }

  async says(phone: Phone, body: string): Promise<void> {
    this.sent.push(body);
    await phone.insists(body);
  }

  /** Says something, and waits for an answer. */
  async asks(phone: Phone, body: string, answer: RegExp): Promise<string[]> {
    await this.says(phone, body);
    return phone.receives(answer, PATIENCE_MS);
  }

  async joins(name: string): Promise<Phone> {
    const phone = this.phone(name);
    await this.asks(phone, `JOIN ${name}`, /^Welcome/);
    return phone;
  }

  /** Where the operators' credential lies. */
  get credential(): string {
    return join(dirname(this.town.secrets.LEDGER_KEY), 'admin.nk');
  }

  /** Runs the operators' command line; what it printed is kept without what they typed. */
  async admin(args: string, change: Record<string, string> = {}): Promise<string> {
    const { town } = this;
    const settings = {
      MONGODB_URI: town.mongo.uri(DATABASES.wallet),
      NATS_URL: town.nats.url,
      NATS_CREDS: this.credential,
      LEDGER_KEY: town.secrets.LEDGER_KEY,
      TIME_ZONE: 'Africa/Nairobi',
      CURRENCY: 'KES',
    };
    const { printed } = await run(args.replace('DIR', this.#dir), { ...settings, ...change });
    const typed = args.split(' ').filter((word) => word.startsWith('+'));
    this.printed.push({ where: `admin ${args}`, text: typed.reduce((text, word) => text.replaceAll(word, '…'), printed) });
    return printed;
  }

  /** All pages that a service shows. */
  async readPages(): Promise<void> {
    for (const { service, port } of this.town.processes) {
      for (const page of ['metrics', 'health/live', 'health/ready']) {
        const text = await (await fetch(`http://127.0.0.1:${port}/${page}`)).text();
        // Without the values, among which any six digits may stand.
        this.printed.push({ where: `${service} /${page}`, text: text.replace(/ \S+$/gm, '') });
      }
    }
  }

  get logs(): Said[] {
    return this.town.processes.flatMap(({ service, lines }) => lines.map((text) => ({ where: `log of ${service}`, text })));
  }

  get spans(): Said[] {
    return this.collector.spans.map((text) => ({ where: 'span', text }));
  }

  /** What of all that was said should not have been. */
  leaks(all: readonly Said[]): string[] {
    const { secrets } = this;
    return all.flatMap(({ where, text }) => secrets.in(text).map((secret) => `${where}: ${secret} in ${text.slice(0, 400)}`));
  }

  /** Codes and texts in the clear in any collection, and names and memos where they do not belong. */
  async stored(): Promise<string[]> {
    const { secrets } = this;
    const { codes } = secrets;
    const numbers = this.phones.map(({ number }) => number);
    const leaks: string[] = [];
    for (const service of Object.keys(DATABASES) as (keyof typeof DATABASES)[]) {
      for (const { name } of await this.town.db(service).listCollections().toArray()) {
        for (const document of await this.town.db(service).collection(name).find().toArray()) {
          for (const [path, value] of valuesOf(document, `${service}.${name}`)) {
            const named = NAMED_BY_DESIGN.has(path);
            // Numbers stand in ids, and that is how they are found.
            const text = numbers.reduce((rest, number) => rest.replaceAll(number, '…'), String(value));
            const found = named ? [...codes, ...PINS].filter((secret) => text.includes(secret)) : secrets.in(text);
            leaks.push(...found.map((secret) => `${path}: ${secret} in ${text.slice(0, 200)}`));
          }
        }
      }
    }
    return leaks;
  }

  /** The outcomes that the logs tell of. */
  get told(): Set<string> {
    return new Set(this.logs.map(({ text }) => (JSON.parse(text) as { msg: string }).msg));
  }

  outbox() {
    return this.town.db('sms-gateway').collection<{ _id: string }>('outbox');
  }

  inbox() {
    return this.town.db('sms-gateway').collection<{ _id: string }>('inbox');
  }

  /** Waits until the logs tell something. */
  tells(msg: string): Promise<void> {
    return until(() => this.told.has(msg), { timeoutMs: PATIENCE_MS, what: () => `"${msg}" in a log` });
  }

  /** What `npm run demo` shows, and all else that people can text. */
  async everyday(): Promise<[Phone, Phone]> {
    const [ada, ben] = [await this.joins(NAMES[0]), await this.joins(NAMES[1])];
    await this.admin(`fund ${ada.number} 1000.00 --id cash-1`);
    await this.admin(`fund ${ben.number} 1000.00 --id cash-2`);
    const local = (phone: Phone) => phone.number.replace('+254', '0');

    const [, code = ''] = await this.asks(ada, `PAY 25 ${local(ben)} ${MEMOS[0]}`, /Reply (\d{6}) within/);
    await this.asks(ada, code, /^Paid KES 25\.00/);
    await ben.receives(/^You got KES 25\.00/, PATIENCE_MS);
    await this.asks(ben, `REQUEST ${local(ada)} 40 ${MEMOS[1]}`, /^You asked/);
    const [, approval = ''] = await ada.receives(/Reply (\d{6}) within/, PATIENCE_MS);
    await this.asks(ada, approval, /^Paid KES 40\.00/);
    await ben.receives(/^You got KES 40\.00/, PATIENCE_MS);
    await this.asks(ada, `PAY 5,000 ${ben.number.slice(1)} ${MEMOS[2]}`, /are more than your balance/);
    await this.asks(ben, `ASK 12.50 ${ada.number} ${MEMOS[3]}`, /^You asked/);
    const [, no = ''] = await ada.receives(/Reply (\d{6}) within/, PATIENCE_MS);
    await this.asks(ada, `NO ${no}`, /You declined it/);
    await ben.receives(/They declined it/, PATIENCE_MS);

    await this.asks(ben, `ASK 3 ${local(ada)} ${MEMOS[3]}`, /NO (\w{7})$/);
    await ada.receives(/Reply (\d{6}) within/, PATIENCE_MS);
    await this.asks(ben, 'NO', /Withdraw|withdraw|NO \w{7}/);
    for (const text of ['BAL', 'HIST', 'menu', 'JOIN me again', 'HIST 4K7MPQX', `PAY ${local(ben)}`])
      await this.asks(ada, text, /./);
    await this.asks(ben, `what is this ${MEMOS[0]}`, /./);
    await this.pins(ada);
    return [ada, ben];
  }

  /** A PIN that is set, changed, given wrongly, withdrawn, and one with words around it. */
  async pins(ada: Phone): Promise<void> {
    const confirms = async (text: string, answer: RegExp) => {
      const [, code = ''] = await this.asks(ada, text, /^Reply (\d{6}) within/);
      await this.asks(ada, code, answer);
    };
    await confirms(`PIN ${PINS[0]}`, /^Your PIN is set/);
    await confirms(`pin: ${PINS[0]} ${PINS[1]}`, /^Your PIN is set/);
    await confirms(`PIN ${PINS[0]} ${PINS[2]}`, /^Your PIN was not changed: the old one is wrong/);
    const [, code = ''] = await this.asks(ada, `PIN ${PINS[1]} ${PINS[2]}`, /^Reply (\d{6}) within/);
    await this.asks(ada, `NO ${code}`, /you withdrew it/);
    await this.asks(ada, `PIN ${PINS[2]} please`, /^To set a PIN/);
  }
}

/** Each value in a document, by its path without the places in arrays. */
function* valuesOf(value: unknown, path: string): Generator<[string, unknown]> {
  if (Array.isArray(value)) for (const each of value) yield* valuesOf(each, path);
  else if (typeof value === 'object' && value !== null && !(value instanceof Date))
    for (const [key, each] of Object.entries(value)) yield* valuesOf(each, `${path}.${key}`);
  else yield [path, value instanceof Date ? value.toISOString() : value];
}

/** What is looked at in the end, in each town. */
function keepsItsSecrets(overheard: Overheard, expected: readonly string[]): void {
  it('was told of in the logs, each line of them JSON', () => {
    expect([...overheard.told]).toEqual(expect.arrayContaining([...expected]));
  });

  it('shows no number, code, name or text in any log', () => {
    expect(overheard.leaks(overheard.logs)).toEqual([]);
  });

  it('shows none in any span', () => {
    expect(overheard.spans.join('')).not.toBe('');
    expect(overheard.leaks(overheard.spans)).toEqual([]);
  });

  it('shows none on a page, to an operator who asks, or in the command line but what was typed', () => {
    expect(overheard.leaks(overheard.printed)).toEqual([]);
  });

  it('stores no code and no text in the clear, and names and memos only where they belong', async () => {
    expect(await overheard.stored()).toEqual([]);
  });

  it(
    'keeps no PIN, and no SMS that said one, not even sealed',
    async () => {
      const { town } = overheard;
      // Where a reply was lost it is done within seconds; what was spoilt on purpose fails for hours.
      const isOpen = { nextTryAt: { $exists: true }, failingSince: { $exists: false } };
      await until(async () => (await overheard.inbox().countDocuments(isOpen as object)) === 0, {
        timeoutMs: PATIENCE_MS / 2,
        what: () => 'each SMS to have its outcome',
      });
      const changes = await town.db('transactions').collection('pin_changes').find().toArray();
      expect(changes.length).toBeGreaterThanOrEqual(4);
      for (const { state, pin, old } of changes) expect([state, pin, old]).toEqual([expect.anything(), undefined, undefined]);
      const said = overheard.sent.filter((body) => /^pin/i.test(body)).length;
      const from = overheard.phones[0]?.number;
      const sms = (await overheard
        .inbox()
        .find({ from } as object)
        .toArray()) as unknown as { outcome: string; text?: string }[];
      expect(sms.filter(({ text }) => text === undefined)).toHaveLength(said);
      expect(sms.filter(({ outcome, text }) => outcome === 'pin' && text !== undefined)).toEqual([]);
      for (const { hash } of await town.db('wallet').collection('pins').find().toArray())
        expect(hash).toMatchObject({ memoryKiB: 19_456, passes: 2, parallelism: 1 });
    },
    PATIENCE_MS,
  );

  it('would be found out', async () => {
    const { secrets, phones, town } = overheard;
    const [body = ''] = phones[0]?.texts() ?? [];
    const [code = ''] = secrets.codes;
    const number = phones[0]?.number ?? '';
    for (const secret of [
      body,
      code,
      number,
      number.slice(1),
      number.replace('+254', '0'),
      ...NAMES.slice(0, 2),
      MEMOS[0],
      PINS[0],
    ])
      expect([secret, secrets.in(`{"err":"dup key: { _id: \\"SM1:${secret}\\" }"}`).length]).not.toEqual([secret, 0]);
    for (const clear of [body, code, NAMES[0], PINS[0]]) {
      const { insertedId } = await town.db('transactions').collection('payments').insertOne({ clear });
      expect(await overheard.stored()).not.toEqual([]);
      await town.db('transactions').collection('payments').deleteOne({ _id: insertedId });
    }
  });
}

describe('a day on which all goes wrong', () => {
  const overheard = new Overheard();
  const outcomes = new Map<string, CreateOutcome[]>();
  const silenced = new Set<string>();

  beforeAll(async () => {
    await overheard.open({ env: { LOG_LEVEL: 'debug' } });
    const { town } = overheard;
    town.twilio.onCreate = ({ to }) => outcomes.get(to)?.shift() ?? 'ok';
    town.twilio.onCallback = ({ form }) => !silenced.has(form['To'] ?? '');
    const [ada, ben] = await overheard.everyday();
    await wrongCodes(ada, ben);
    await duplicates(ada, ben);
    await strangers(ada);
    await provider(ada, ben);
    await deadLetters(ada);
    await outages(ada);
    await operators(ada);
    await crash();
    await overheard.readPages();
  }, 400_000);
  afterAll(() => overheard.close());

  const { asks, says } = { asks: overheard.asks.bind(overheard), says: overheard.says.bind(overheard) };

  async function wrongCodes(ada: Phone, ben: Phone): Promise<void> {
    const [, short = ''] = await asks(ada, `PAY 10 ${ben.number} ${MEMOS[0]}`, /Reply (\d{6}) within/);
    const guesses = ['111111', '222222', '333333', '444444', '555555', '666666'].filter((guess) => guess !== short).slice(0, 5);
    for (const guess of guesses) await asks(ada, guess, /fits nothing that is open/);
    const [, long = ''] = await ada.receives(/^Pay KES 10\.00 .* Reply (\d{9}) within/, PATIENCE_MS);
    await asks(ada, long, /^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/, PATIENCE_MS);
  }

  /** Of an id from outside, of a text's place in the provider's list, and of a key in the database. */
  async function duplicates(ada: Phone, ben: Phone): Promise<void> {
    const { town } = overheard;
    const webhook = town.webhook(ada, 'BAL');
    expect(await town.posts(webhook)).toBe(200);
    await ada.receives(/^Balance/, PATIENCE_MS);
    overheard.sent.push(`PAY 1 ${ben.number} ${MEMOS[1]}`);
    expect(await town.posts({ ...webhook, Body: `PAY 1 ${ben.number} ${MEMOS[1]}` })).toBe(409);
    expect(await town.posts({ ...webhook, From: ben.number })).toBe(409);

    const other = await overheard.outbox().findOne({ sid: { $exists: true } });
    silenced.add(ada.number);
    outcomes.set(ada.number, [{ status: 201, body: { sid: (other as unknown as { sid: string }).sid } }]);
    await says(ada, 'BAL');
    await overheard.tells('what became of a try could not be stored; its callback or the list of the provider will tell');
    silenced.delete(ada.number);

    // The database's own words for a duplicate quote the value.
    const wallets = town.db('wallet').collection<{ _id: string }>('wallets');
    const cunigunde = overheard.phone(NAMES[2]);
    await wallets.createIndex({ number: 1 }, { unique: true });
    await wallets.insertOne({ _id: 'another', number: cunigunde.number } as { _id: string });
    await says(cunigunde, `JOIN ${NAMES[2]}`);
    await overheard.tells('a request was not answered');
    await wallets.deleteOne({ _id: 'another' });
    await wallets.dropIndex('number_1');
    await cunigunde.receives(/^Welcome/, PATIENCE_MS);
  }

  /** Who is not Twilio, a Twilio that posts what is no SMS, and an asker of a service that asks what is no question. */
  async function strangers(ada: Phone): Promise<void> {
    const { town } = overheard;
    const webhook = town.webhook(ada, `PAY 1 ${ada.number} ${MEMOS[2]}`);
    overheard.sent.push(webhook['Body'] ?? '');
    const url = `${town.publicUrl}/sms/inbound`;
    const json = { 'Content-Type': 'application/json', 'X-Twilio-Signature': 'x' };
    const posts = (headers: Record<string, string>, body: string | URLSearchParams) =>
      fetch(url, { method: 'POST', headers, body });
    expect((await posts({}, new URLSearchParams(webhook))).status).toBe(403);
    expect((await posts(json, JSON.stringify(webhook))).status).toBe(415);
    expect((await posts(json, JSON.stringify(webhook).slice(0, -9))).status).toBe(415);
    expect((await fetch(`${url}?${new URLSearchParams(webhook)}`)).status).toBe(404);
    const { From: _, ...nobody } = webhook;
    expect(await town.posts(nobody as typeof webhook)).toBe(400);

    const link = new NatsLink('admin', { NATS_URL: town.nats.url, NATS_CREDS: overheard.credential });
    await link.open();
    const national = ada.number.replace('+254', '0');
    for (const body of [`{"memo": ${MEMOS[1]}}`, JSON.stringify({ transferId: national, number: national, memo: MEMOS[1] })])
      expect(await link.request(FundWallet.subject, body, { timeoutMs: 5_000, headers: {} })).toContain('error');
    await link.close();
  }

  async function provider(ada: Phone, ben: Phone): Promise<void> {
    const { town } = overheard;
    const refusing = (code: number, message: string): CreateOutcome => ({ status: 400, body: { status: 400, code, message } });
    const refused = (count: number) =>
      until(async () => (await overheard.outbox().countDocuments({ state: 'failed' })) === count, {
        timeoutMs: PATIENCE_MS,
        what: () => `${count} texts to be refused`,
      });
    outcomes.set(ada.number, [
      refusing(21610, 'Attempt to send to unsubscribed recipient'),
      refusing(21211, `The 'To' number ${ada.number} is not a valid phone number.`),
    ]);
    await says(ada, 'BAL');
    await refused(1);
    await says(ada, 'HIST');
    await refused(2);

    // Busy, broken, and broken off with its callbacks lost: then its list is asked.
    outcomes.set(ben.number, [
      { status: 429 },
      { status: 503, body: { status: 503, code: 20503, message: `no way to ${ben.number}` } },
    ]);
    await says(ben, 'BAL');
    await overheard.tells('the provider did not take a text; it is sent again');
    await overheard.tells('it is not known whether the provider took a text; its callback or its list will tell');
    await hurried(ben);
    await ben.receives(/^Balance/, PATIENCE_MS);
    silenced.add(ben.number);
    outcomes.set(ben.number, ['accept_and_drop_reply']);
    await asks(ben, 'HIST', /^Balance/);
    await hurried(ben);
    await overheard.tells('text found in the list of the provider');
    silenced.delete(ben.number);

    town.twilio.unreachable.add(ben.number);
    await says(ben, 'BAL');
    await overheard.tells('text not delivered');
    town.twilio.unreachable.delete(ben.number);

    // A code whose time is over before the provider takes it.
    outcomes.set(ada.number, [{ status: 429 }]);
    await says(ada, `PAY 2 ${ben.number} ${MEMOS[1]}`);
    const waits = { to: ada.number, carriesCode: true, state: 'queued' };
    await until(
      async () => {
        const change = { $set: { dropAt: new Date(0), nextTryAt: new Date() } };
        return (await overheard.outbox().updateOne(waits as object, change)).modifiedCount === 1;
      },
      { timeoutMs: PATIENCE_MS, everyMs: 5, what: () => 'a code that waits' },
    );
    await overheard.tells('text dropped: its time is over');
  }

  /** What waits for the provider's word is looked for at once. */
  async function hurried(phone: Phone): Promise<void> {
    await until(async () => (await overheard.outbox().countDocuments({ to: phone.number, state: 'trying' } as object)) === 1, {
      timeoutMs: PATIENCE_MS,
      what: () => 'a text whose try is unsettled',
    });
    await overheard.outbox().updateOne({ to: phone.number, state: 'trying' } as object, { $set: { nextTryAt: new Date() } });
  }

  /** An SMS and a text that nobody can open any more, tried nineteen times, and one given up by a release that stored what its error said. */
  async function deadLetters(ada: Phone): Promise<void> {
    const spoilt = {
      text: `nokey.${'A'.repeat(60)}`,
      nextTryAt: new Date(),
      tries: 0,
      failingSince: new Date(Date.now() - 7 * 3_600_000),
    };
    await asks(ada, 'BAL', /^Balance/);
    const texts = await overheard
      .outbox()
      .find({ to: ada.number, state: 'delivered' } as object)
      .limit(3)
      .toArray();
    const [text, failing, old] = texts.map(({ _id }) => _id);
    const sms = await overheard.inbox().findOne({ from: ada.number, outcome: 'balance' } as object);
    await overheard.inbox().updateOne({ _id: sms?._id ?? '' }, { $set: { ...spoilt, tries: 19 }, $unset: { outcome: 1 } });
    await overheard.outbox().updateOne({ _id: text ?? '' }, { $set: { ...spoilt, tries: 19, state: 'queued' } });
    await overheard.outbox().updateOne({ _id: failing ?? '' }, { $set: { ...spoilt, state: 'queued' } });
    const reason = `E11000 duplicate key error collection: smspay_sms_gateway.outbox index: _id_ dup key: { _id: "${old}" }`;
    await overheard.outbox().updateOne({ _id: old ?? '' }, { $set: { dead: { reason, at: new Date() } } });
    for (const box of ['inbox', 'outbox'] as const) {
      const list = async () => (await overheard.town.operator.ask(ListDeadLetters, { box, limit: 100 })).letters;
      // What a log names is found by that name.
      const isListed = async () => {
        const ids = new Set((await list()).map(({ id }) => id));
        const named = overheard.logs
          .map(({ text: line }) => JSON.parse(line) as { msg: string; what: string; id: string })
          .filter(({ msg, what }) => msg === 'dead letter' && what === box);
        return named.length > 0 && named.every(({ id }) => ids.has(id));
      };
      await until(
        async () => {
          // Only what fails while others pass is counted.
          await asks(ada, 'BAL', /^Balance/);
          return isListed();
        },
        { timeoutMs: PATIENCE_MS, what: () => `what was given up to be listed, of ${box}` },
      );
      overheard.printed.push({ where: `ListDeadLetters ${box}`, text: JSON.stringify(await list()) });
    }
    await overheard.tells('a try failed');
  }

  async function outages(ada: Phone): Promise<void> {
    const { town } = overheard;
    await town.killNats();
    await says(ada, 'BAL');
    await overheard.admin('dead-letters list');
    await town.bringBackNats();
    await ada.receives(/^Balance/, PATIENCE_MS);
    await town.killMongo();
    await Promise.all([overheard.tells('the database takes no writes'), overheard.admin('verify')]);
    await town.bringBackMongo();
    await asks(ada, 'BAL', /^Balance/);
  }

  async function operators(ada: Phone): Promise<void> {
    expect(await overheard.admin('dead-letters list')).toMatch(/^outbox .* \+2547\*{4}\d{4} .*E11000/m);
    await overheard.admin('dead-letters replay --box inbox --all');
    await overheard.admin('dead-letters dismiss --reason provider-error-21610');
    await overheard.admin('dead-letters dismiss --box outbox --all');
    await overheard.admin(`fund ${ada.number} 5.00 --id cash-3`);
    await overheard.admin(`fund ${ada.number} 6.00 --id cash-3`);
    await overheard.admin('fund +254711999999 5.00');
    expect(await overheard.admin('verify --heads DIR/heads')).toContain('no problems');
    await overheard.town
      .db('wallet')
      .collection('transfers')
      .updateOne({ kind: 'payment' }, { $set: { memo: 'changed' } });
    expect(await overheard.admin('verify')).toContain('PROBLEM');
    const databases = Object.values(DATABASES).join(' ');
    await overheard.admin(`backup DIR/backup --databases ${databases}`);
    expect(await overheard.admin('restore DIR/backup')).toContain('a backup is restored into empty databases alone');
    await overheard.admin('check-database');

    // Words of the driver: as if what is restored were there already.
    const links = overheard.town.db('wallet').collection('links');
    const error: unknown = await links.insertMany(await links.find().toArray()).catch((fault: unknown) => fault);
    expect(inspect(error)).toContain(ada.number);
    overheard.printed.push({ where: 'admin, of a fault', text: printable(error) });
  }

  /** A fault that nobody catches: the port is taken. */
  async function crash(): Promise<void> {
    const [[notifications], [gateway]] = [overheard.town.of('notifications'), overheard.town.of('sms-gateway')];
    await notifications?.stop();
    await notifications?.start({ PORT: String(gateway?.port) }, { waitReady: false });
    expect(await notifications?.ended()).toBe(1);
    await notifications?.start();
  }

  keepsItsSecrets(overheard, [
    'a fault that nobody caught: the process ends',
    'sms understood',
    'payment ended',
    'wallet opened',
    'transfer made',
    'codes are being guessed',
    'an SMS id came again with other contents',
    'the provider refused a text for good',
    'dead letters dismissed',
    'dead letters replayed',
    'NATS',
  ]);
});

describe(`a day on which replies are lost (SEED=${SEED})`, () => {
  const overheard = new Overheard();

  beforeAll(async () => {
    await overheard.open({ mongoLoss: { part: 0.03, seed: SEED }, natsLoss: { part: 0.03, seed: SEED } });
    await overheard.everyday();
    const { lossyMongo, lossyNats } = overheard.town;
    const lost = [lossyNats?.lost ?? 0, ...(lossyMongo?.lost.values() ?? [])];
    expect(lost.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    await overheard.readPages();
  }, 300_000);
  afterAll(() => overheard.close());

  keepsItsSecrets(overheard, ['sms understood', 'payment ended', 'wallet opened', 'transfer made']);
});
