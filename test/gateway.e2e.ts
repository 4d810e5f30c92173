import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Language, Msisdn, QueuedText, QueueTexts, type Sealed } from '#libs/contracts';
import { NatsLink, RpcClient } from '#libs/messaging';
import { DataKeys, keyFile, Metrics, realHost, Secret } from '#libs/runtime';
import type { CreateOutcome } from '#libs/simulated-twilio';
import { type Phone, Town, until } from '#libs/testing';
import { decode } from 'zod';

/** Texts that one gateway tries to send at the same time (docs/bounds.md). */
const TEXTS_AT_ONCE = 48;
const OPTED_OUT = { status: 400, body: { code: 21610, message: 'Attempt to send to unsubscribed recipient', status: 400 } };

describe('the gateway', () => {
  let town: Town;
  let dataKeys: DataKeys;
  let notifications: NatsLink;
  let rpc: RpcClient;
  const outcomes = new Map<string, CreateOutcome>();
  /** How long the provider takes for each call, and how many it has, and had at once at most. */
  const provider = { delayMs: 0, now: 0, most: 0, connections: 0 };

  beforeAll(async () => {
    town = await Town.open();
    dataKeys = new DataKeys(keyFile.parse(town.secrets.DATA_KEYS), realHost);
    const seedFile = join(dirname(town.secrets.LEDGER_KEY), 'notifications.nk');
    notifications = new NatsLink('notifications', { NATS_URL: town.nats.url, NATS_CREDS: seedFile });
    await notifications.open();
    rpc = new RpcClient(notifications, realHost, new Metrics(realHost));
    town.twilio.onCreate = ({ to }) => {
      const outcome = outcomes.get(to) ?? 'ok';
      outcomes.delete(to);
      return outcome;
    };
    const { server } = town.twilio.http;
    const answers = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      provider.most = Math.max(provider.most, ++provider.now);
      response.on('close', () => provider.now--);
      setTimeout(() => answers.forEach((answer) => void Reflect.apply(answer, server, [request, response])), provider.delayMs);
    });
    server.on('connection', () => provider.connections++);
  }, 180_000);
  afterAll(async () => {
    await notifications?.close();
    await town?.close();
  });

  const outbox = () => town.db('sms-gateway').collection<{ _id: string }>('outbox');
  const toldOf = (text: Record<string, unknown> | null) =>
    decode(
      QueuedText.shape.told.unwrap(),
      JSON.parse(dataKeys.unseal(text?.['told'] as Sealed, `told:${text?.['_id'] as string}`).reveal()) as never,
    );
  const rowOf = (phone: Phone) => town.db('sms-gateway').collection<{ _id: string }>('numbers').findOne({ _id: phone.number });

  it('has a socket for each text that it sends at once, and no more: of 200 at a slow provider none is ambiguous', async () => {
    provider.delayMs = 300;
    Object.assign(provider, { most: 0, connections: 0 });
    const texts = Array.from({ length: 200 }, (_, n) => {
      const to = Msisdn.parse(`+2547130${String(n).padStart(5, '0')}`);
      const id = `slow${n}:answer:${to}`;
      return {
        id,
        to,
        language: Language.parse('en'),
        text: dataKeys.seal(new Secret('Hello'), `text:${id}`),
        carriesCode: false,
      };
    });
    await Promise.all(
      Array.from({ length: 20 }, (_, page) => rpc.ask(QueueTexts, { texts: texts.slice(10 * page, 10 * page + 10) })),
    );
    const sent = () => outbox().countDocuments({ _id: /^slow/ as never, state: 'delivered' });
    await until(async () => (await sent()) === 200, { timeoutMs: 60_000, everyMs: 200, what: () => 'the texts to arrive' });
    provider.delayMs = 0;
    expect(provider.most).toBe(TEXTS_AT_ONCE);
    expect(provider.connections).toBeLessThanOrEqual(TEXTS_AT_ONCE);
    const metrics = await (await fetch(`http://127.0.0.1:${town.of('sms-gateway')[0]?.port}/metrics`)).text();
    expect(metrics).not.toContain('result="ambiguous"');
    expect(await outbox().countDocuments({ _id: /^slow/ as never, sends: { $size: 1 } })).toBe(200);
  }, 120_000);

  it('keeps with a text what it says, sealed, as the contract reads it', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 25 ${ben.number} lunch`);
    const [, code = ''] = await ada.receives(/Reply (\d{6}) within/);
    await ada.sends(code);
    await ben.receives(/^You got KES 25\.00/);
    await ada.receives(/^Paid KES 25\.00/);
    const told = async (phone: Phone, what: RegExp) =>
      toldOf(await outbox().findOne({ to: phone.number, _id: what as never } as object));
    const quote = await told(ada, /:quote:/);
    expect(quote).toMatchObject({ currency: 'KES', message: { type: 'quote', amount: 2_500n, memo: 'lunch' } });
    expect(await told(ada, /:paid:/)).toMatchObject({ message: { type: 'paid', amount: 2_500n, at: expect.any(Date) } });
    expect(await told(ben, /:received:/)).toMatchObject({ message: { type: 'received', amount: 2_500n, memo: 'lunch' } });
  }, 60_000);

  it('knows of a number when it was heard and reached, and that it takes no texts until it is reached again', async () => {
    const ada = await town.joins({ name: 'Ada' });
    const has = (what: string, is: (row: Awaited<ReturnType<typeof rowOf>>) => boolean) =>
      until(async () => is(await rowOf(ada)), { timeoutMs: 10_000, what: () => `the row of a number: ${what}` });
    const lately = (time: unknown) => time instanceof Date && Math.abs(Date.now() - time.getTime()) < 60_000;
    await has('heard and reached', (row) => lately(row?.['heardAt' as never]) && lately(row?.['deliveredAt' as never]));
    expect(await rowOf(ada)).not.toHaveProperty('optedOutAt');
    outcomes.set(ada.number, OPTED_OUT);
    await ada.sends('BAL');
    await has('opted out', (row) => lately(row?.['optedOutAt' as never]));
    // Within five minutes of the delivery that was noted.
    await ada.sends('BAL');
    await ada.receives(/^Balance/);
    await has('back again', (row) => row !== null && !('optedOutAt' in row));
  }, 60_000);

  it('keeps when the first twenty tries of a text began, however many follow', async () => {
    const ada = await town.joins({ name: 'Ada' });
    const text = { to: ada.number, _id: /:answer:/ as never } as object;
    const arrived = () =>
      until(async () => (await outbox().findOne(text))?.['state' as never] === ('delivered' as never), {
        timeoutMs: 10_000,
        what: () => 'the text to arrive',
      });
    await arrived();
    const sends = Array.from({ length: 20 }, (_, n) => new Date(Date.now() - 15_000 * (20 - n)));
    await outbox().updateOne(text, { $set: { sends, state: 'queued', nextTryAt: new Date(), tries: 0 } });
    await arrived();
    expect((await outbox().findOne(text))?.['sends' as never]).toEqual(sends);
  }, 60_000);
});
