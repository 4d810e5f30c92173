import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import twilio from 'twilio';
import type RequestClient from 'twilio/lib/base/RequestClient.js';
import { type Message, SimulatedTwilio, type SimulatedTwilioOptions } from './index.ts';

const ACCOUNT = 'AC00000000000000000000000000000001';
const TOKEN = 'development-token';
const OURS = '+254700000001';
const ADA = '+254712345678';

interface Posted {
  path: string;
  form: Record<string, string>;
  signature: string;
}

/** What stands at PUBLIC_URL: keeps what Twilio posts, and answers as told. */
class Webhook {
  readonly posted: Posted[] = [];
  answer: (response: ServerResponse, count: number) => void = (response) =>
    response.writeHead(200, { 'content-type': 'text/xml' }).end('<Response/>');
  readonly #server: Server = createServer((request, response) => void this.#take(request, response));
  #arrived: (() => void) | undefined;

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Resolves when `count` forms came to `path`. */
  async has(count: number, path: string): Promise<Posted[]> {
    for (;;) {
      const found = this.posted.filter((posted) => posted.path.startsWith(path));
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    this.posted.push({
      path: request.url ?? '',
      form: Object.fromEntries(new URLSearchParams(body)),
      signature: String(request.headers['x-twilio-signature']),
    });
    this.answer(response, this.posted.length);
    this.#arrived?.();
  }
}

/** Sends twilio's SDK to another address than Twilio's. */
class RedirectedClient extends twilio.RequestClient {
  base = '';

  override request<T>(options: RequestClient.RequestOptions<T>) {
    return super.request<T>({ ...options, uri: options.uri.replace('https://api.twilio.com', this.base) });
  }
}

let webhook: Webhook;
let simulated: SimulatedTwilio;

async function start(options: Partial<SimulatedTwilioOptions> = {}): Promise<void> {
  simulated = new SimulatedTwilio({
    accountSid: ACCOUNT,
    authToken: TOKEN,
    numbers: [OURS],
    webhookUrl: `${webhook.url}/sms/inbound`,
    ...options,
  });
  await simulated.listen();
}

function sdk(token = TOKEN, timeout = 2000) {
  const httpClient = new RedirectedClient({ timeout });
  httpClient.base = simulated.url;
  return twilio(ACCOUNT, token, { httpClient });
}

const bodies = (messages: { body: string }[]) => messages.map(({ body }) => body);
const segments = async (body: string) => (await sdk().messages.create({ from: OURS, to: ADA, body })).numSegments;

beforeEach(async () => {
  webhook = new Webhook();
  await webhook.listen();
});
afterEach(async () => {
  await simulated.close();
  await webhook.close();
});

describe('a text of a phone', () => {
  it("is posted with Twilio's fields and a signature that twilio's SDK accepts", async () => {
    await start();
    const { sid, status } = await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'PAY 25 0712345679 café 🙂' });
    expect(status).toBe(200);
    const [posted] = await webhook.has(1, '/sms/inbound');
    expect(posted?.form).toMatchObject({
      MessageSid: sid,
      SmsSid: sid,
      SmsMessageSid: sid,
      AccountSid: ACCOUNT,
      From: ADA,
      To: OURS,
      Body: 'PAY 25 0712345679 café 🙂',
      NumMedia: '0',
      NumSegments: '1',
      FromCountry: 'KE',
      ToCountry: 'KE',
      SmsStatus: 'received',
      ApiVersion: '2010-04-01',
    });
    expect(Object.keys(posted?.form ?? {})).toHaveLength(19);
    expect(twilio.validateRequest(TOKEN, posted?.signature ?? '', `${webhook.url}/sms/inbound`, posted?.form ?? {})).toBe(true);
    expect(twilio.validateRequest('another', posted?.signature ?? '', `${webhook.url}/sms/inbound`, posted?.form ?? {})).toBe(
      false,
    );
  });

  it('is posted again when the connection breaks, not when the webhook answers an error', async () => {
    await start();
    webhook.answer = (response, count) => (count === 1 ? response.socket?.destroy() : response.writeHead(503).end());
    const told: object[] = [];
    simulated.on('webhook', (posted) => told.push(posted));
    const { sid, status } = await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'BAL' });
    expect(status).toBe(503);
    expect(webhook.posted.map(({ form }) => form['MessageSid'])).toEqual([sid, sid]);
    expect(told).toMatchObject([{ url: `${webhook.url}/sms/inbound`, status: 503, tries: 2 }]);
    expect(await sdk().messages(sid).fetch()).toMatchObject({ status: 'received', errorCode: 11200 });
  });

  it('stays in the list when nobody answers at the webhook', async () => {
    await start({ webhookUrl: 'http://127.0.0.1:1/sms/inbound' });
    const { sid, status } = await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'BAL' });
    expect(status).toBe(0);
    const list = await sdk().messages.list({ to: OURS });
    expect(list).toMatchObject([{ sid, from: ADA, body: 'BAL', direction: 'inbound', numSegments: '1' }]);
  });

  it('comes again under its own sid, and is listed once', async () => {
    await start();
    const { sid } = await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'BAL' });
    await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'BAL', messageSid: sid });
    const [first, second] = await webhook.has(2, '/sms/inbound');
    expect(second?.form).toEqual(first?.form);
    expect(await sdk().messages.list()).toHaveLength(1);
  });

  it('carries media as an MMS', async () => {
    await start();
    const { sid } = await simulated.sendFromPhone({ from: ADA, to: OURS, body: '', numMedia: 1 });
    expect(sid).toMatch(/^MM[0-9a-f]{32}$/);
    const [posted] = await webhook.has(1, '/sms/inbound');
    expect(posted?.form).toMatchObject({ NumMedia: '1', MediaContentType0: 'image/jpeg' });
  });
});

describe('the REST API', () => {
  it('sends: queued, sent, delivered, each called back with a right signature', async () => {
    await start();
    const moves: string[] = [];
    simulated.on('status', (message: Message) => moves.push(message.status));
    const statusCallback = `${webhook.url}/sms/status?try=a%20b`;
    const created = await sdk().messages.create({
      from: OURS,
      to: ADA,
      body: 'Balance KES 1,000.00',
      statusCallback,
      validityPeriod: 600,
    });
    expect(created).toMatchObject({
      status: 'queued',
      direction: 'outbound-api',
      numSegments: '1',
      errorCode: null,
      accountSid: ACCOUNT,
    });

    const callbacks = await webhook.has(2, '/sms/status');
    const forms = callbacks
      .map(({ form }) => form)
      .sort((one, other) => String(other['MessageStatus']).localeCompare(String(one['MessageStatus'])));
    expect(forms).toMatchObject([
      {
        MessageSid: created.sid,
        SmsSid: created.sid,
        MessageStatus: 'sent',
        SmsStatus: 'sent',
        From: OURS,
        To: ADA,
        AccountSid: ACCOUNT,
      },
      { MessageSid: created.sid, MessageStatus: 'delivered' },
    ]);
    for (const { signature, form } of callbacks)
      expect(twilio.validateRequest(TOKEN, signature, statusCallback, form)).toBe(true);
    expect(moves).toEqual(['queued', 'sending', 'sent', 'delivered']);
    expect(await sdk().messages(created.sid).fetch()).toMatchObject({ status: 'delivered', body: 'Balance KES 1,000.00' });
    expect(simulated.textsTo(ADA).map(({ body }) => body)).toEqual(['Balance KES 1,000.00']);
  });

  it('says 30003 of a phone that nothing reaches', async () => {
    await start();
    simulated.unreachable.add(ADA);
    await sdk().messages.create({ from: OURS, to: ADA, body: 'hello', statusCallback: `${webhook.url}/sms/status` });
    const callbacks = await webhook.has(2, '/sms/status');
    expect(callbacks.find(({ form }) => form['MessageStatus'] === 'undelivered')?.form).toMatchObject({ ErrorCode: '30003' });
    expect(simulated.textsTo(ADA)).toEqual([]);
  });

  it.each([
    ['To missing a plus', { to: '0712345678', from: OURS, body: 'hello' }, 400, 21211],
    ['a From that is no number', { to: ADA, from: 'smspay!', body: 'hello' }, 400, 21212],
    ["another account's From", { to: ADA, from: '+254700000009', body: 'hello' }, 400, 21606],
    ['no body', { to: ADA, from: OURS }, 400, 21602],
    ['1,601 characters', { to: ADA, from: OURS, body: 'a'.repeat(1601) }, 400, 21617],
    ['a status callback that is no URL', { to: ADA, from: OURS, body: 'hello', statusCallback: 'nowhere' }, 400, 21609],
    ['no From', { to: ADA, body: 'hello' }, 400, 21603],
  ])('refuses %s', async (_what, form, status, code) => {
    await start();
    await expect(sdk().messages.create(form)).rejects.toMatchObject({
      status,
      code,
      moreInfo: `https://www.twilio.com/docs/errors/${code}`,
    });
    expect(await sdk().messages.list()).toEqual([]);
  });

  it('refuses a wrong token, and knows no message of another sid', async () => {
    await start();
    await expect(sdk('wrong').messages.list()).rejects.toMatchObject({ status: 401, code: 20003 });
    await expect(sdk().messages('SM00000000000000000000000000000000').fetch()).rejects.toMatchObject({
      status: 404,
      code: 20404,
    });
  });

  it('lists newest first, by number and by time, page by page', async () => {
    let now = Date.parse('2026-01-01T10:00:00Z');
    await start({ clock: () => new Date(now) });
    for (const body of ['one', 'two', 'three', 'four', 'five']) {
      await sdk().messages.create({ from: OURS, to: ADA, body });
      await simulated.waitForText(ADA, (text) => text === body);
      now += 60_000;
    }
    await sdk().messages.create({ from: OURS, to: '+254712345679', body: 'to somebody else' });

    expect(bodies(await sdk().messages.list({ to: ADA, pageSize: 2 }))).toEqual(['five', 'four', 'three', 'two', 'one']);
    expect(bodies(await sdk().messages.list({ to: ADA, dateSentAfter: new Date('2026-01-01T10:03:00Z') }))).toEqual([
      'five',
      'four',
    ]);
    expect(bodies(await sdk().messages.list({ to: ADA, dateSentBefore: new Date('2026-01-01T10:01:00Z') }))).toEqual([
      'two',
      'one',
    ]);
    expect(await sdk().messages.list({ from: OURS })).toHaveLength(6);
    expect((await sdk().messages.list({ to: ADA, limit: 1 }))[0]?.dateCreated).toEqual(new Date('2026-01-01T10:04:00Z'));
  });

  it('counts segments', async () => {
    await start();
    expect(await segments('a'.repeat(160))).toBe('1');
    expect(await segments('a'.repeat(161))).toBe('2');
    expect(await segments('[]'.repeat(45))).toBe('2');
    expect(await segments('ü'.repeat(160))).toBe('1');
    expect(await segments('č'.repeat(71))).toBe('2');
  });
});

describe('reserved words', () => {
  it('opt a phone out and in, and are answered by Twilio itself', async () => {
    await start();
    await simulated.sendFromPhone({ from: ADA, to: OURS, body: ' Stop ' });
    await simulated.waitForText(ADA, /unsubscribed/);
    await expect(sdk().messages.create({ from: OURS, to: ADA, body: 'hello' })).rejects.toMatchObject({
      status: 400,
      code: 21610,
    });

    await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'HELP' });
    await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'START' });
    await simulated.waitForText(ADA, /re-subscribed/);
    await sdk().messages.create({ from: OURS, to: ADA, body: 'hello' });
    await simulated.waitForText(ADA, /^hello$/);

    expect(webhook.posted.map(({ form }) => form['Body'])).toEqual([' Stop ', 'HELP', 'START']);
    expect(simulated.textsTo(ADA)).toHaveLength(3);
    expect(await sdk().messages.list({ to: ADA })).toHaveLength(1);
  });

  it('are named to the webhook only by a Messaging Service', async () => {
    await start();
    await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'INFO' });
    await simulated.close();
    await start({ messagingServiceSid: 'MG00000000000000000000000000000001' });
    await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'INFO' });
    await simulated.sendFromPhone({ from: ADA, to: OURS, body: 'info please' });
    expect(webhook.posted.map(({ form }) => form['OptOutType'])).toEqual([undefined, 'HELP', undefined]);
    const created = await sdk().messages.create({
      messagingServiceSid: 'MG00000000000000000000000000000001',
      to: ADA,
      body: 'hello',
    });
    expect(created).toMatchObject({ from: OURS, messagingServiceSid: 'MG00000000000000000000000000000001' });
  });
});

describe('faults', () => {
  it('answers as told, takes nothing, and takes without an answer', async () => {
    await start();
    simulated.onCreate = () => ({ status: 429 });
    await expect(sdk().messages.create({ from: OURS, to: ADA, body: 'one' })).rejects.toMatchObject({ status: 429, code: 20429 });
    simulated.onCreate = () => 'hang';
    await expect(sdk(TOKEN, 200).messages.create({ from: OURS, to: ADA, body: 'two' })).rejects.toMatchObject({
      code: 'ECONNABORTED',
    });
    expect(await sdk().messages.list()).toEqual([]);

    simulated.onCreate = () => 'accept_and_drop_reply';
    await expect(sdk().messages.create({ from: OURS, to: ADA, body: 'three' })).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await sdk().messages.list()).toMatchObject([{ body: 'three' }]);
  });

  it('holds callbacks, and posts them shuffled and doubled', async () => {
    await start();
    simulated.holdCallbacks();
    await sdk().messages.create({ from: OURS, to: ADA, body: 'hello', statusCallback: `${webhook.url}/sms/status` });
    await simulated.waitForText(ADA, /hello/);
    expect(webhook.posted).toEqual([]);
    await simulated.releaseCallbacks((held) => [...held.toReversed(), ...held]);
    expect(webhook.posted.map(({ form }) => form['MessageStatus'])).toEqual(['delivered', 'sent', 'sent', 'delivered']);
  });

  it('drops callbacks', async () => {
    await start();
    simulated.onCallback = ({ form }) => form['MessageStatus'] !== 'sent';
    await sdk().messages.create({ from: OURS, to: ADA, body: 'hello', statusCallback: `${webhook.url}/sms/status` });
    const [only] = await webhook.has(1, '/sms/status');
    expect(only?.form['MessageStatus']).toBe('delivered');
  });
});

describe('waiting for a text', () => {
  it('finds one that has come or comes, behind a place, with what the pattern captured', async () => {
    await start();
    const waiting = simulated.waitForText(ADA, /code (\d{6})/, { after: 1 });
    await sdk().messages.create({ from: OURS, to: ADA, body: 'code 111111' });
    await simulated.waitForText(ADA, (body) => body.endsWith('111111'));
    await sdk().messages.create({ from: OURS, to: ADA, body: 'code 222222' });
    expect(await waiting).toMatchObject({ index: 1, match: ['code 222222', '222222'], message: { to: ADA } });
  });

  it('says what there is instead, when the time is up or Twilio closes', async () => {
    await start();
    await sdk().messages.create({ from: OURS, to: ADA, body: 'hello' });
    await simulated.waitForText(ADA, /hello/);
    await expect(simulated.waitForText(ADA, /bye/, { timeoutMs: 5 })).rejects.toThrow(/\/bye\/ in 5 ms; it has\n {2}0: hello/);
    const waiting = simulated.waitForText(ADA, /bye/);
    await Promise.all([expect(waiting).rejects.toThrow('closed'), simulated.close()]);
  });
});
