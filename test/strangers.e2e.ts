import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ServiceProcess, Town, until, type Webhook } from '#libs/testing';
import twilio from 'twilio';

const FORM = 'application/x-www-form-urlencoded';

interface Sent {
  target?: string;
  body: string;
  headers?: Record<string, string>;
}

const json = (body: string): Sent => ({ body, headers: { 'Content-Type': 'application/json' } });

/** What anybody can send to the gateway, on each framework that it runs on. */
describe.each(['fastify', 'express'])('on %s', (adapter) => {
  let town: Town;
  let gateway: ServiceProcess;
  beforeAll(async () => {
    town = await Town.open({ env: { HTTP_ADAPTER: adapter } });
    [gateway] = town.of('sms-gateway') as [ServiceProcess];
  });
  afterAll(() => town.close());

  /** Sends a request as it is, which `fetch` would not. Resolves with the status when the connection is closed. */
  async function send({ target = '/sms/inbound', body, headers = {} }: Sent): Promise<number> {
    const socket = connect(gateway.port, '127.0.0.1');
    let got = '';
    socket.setEncoding('utf8').on('data', (text: string) => (got += text));
    // What was closed at its answer may not take the rest.
    socket.on('error', () => undefined);
    const all = {
      Host: 'gateway',
      Connection: 'close',
      'Content-Type': FORM,
      'Content-Length': Buffer.byteLength(body),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
    await once(socket, 'close');
    return Number(got.split(' ')[1]);
  }

  const signed = (form: Webhook) => ({
    body: String(new URLSearchParams(form)),
    headers: {
      'X-Twilio-Signature': twilio.getExpectedTwilioSignature(
        town.secrets.TWILIO_AUTH_TOKEN,
        `${town.publicUrl}/sms/inbound`,
        form,
      ),
    },
  });
  const inbox = () => town.db('sms-gateway').collection<{ _id: string; outcome?: string }>('inbox');
  /** What the gateway said before it answers this is here with the answer. */
  const seenAll = async () => (await fetch(`http://127.0.0.1:${gateway.port}/health/live`)).text();
  const wrong = () => gateway.lines.filter((line) => /"level":"(error|fatal)"|"stack"/.test(line));

  it.each<[string, number, Sent]>([
    ['JSON that would be a number in the place of a text', 415, json('{"From":{"toString":1,"valueOf":1}}')],
    ['JSON that is null', 415, json('null')],
    ['JSON that is none', 415, json('{')],
    ['a text', 415, { body: 'a=b', headers: { 'Content-Type': 'text/plain' } }],
    ['a form with files', 415, { body: 'a=b', headers: { 'Content-Type': 'multipart/form-data; boundary=x' } }],
    ['a type that is none', 415, { body: 'a=b', headers: { 'Content-Type': ';;;' } }],
    ['a packed form', 415, { body: 'a=b', headers: { 'Content-Encoding': 'gzip' } }],
    ['a large form', 413, { body: `Body=${'a'.repeat(1_000_000)}` }],
    ['many fields', 413, { body: Array.from({ length: 175_000 }, (_, index) => `${index.toString(36)}=`).join('&') }],
    ['many fields in a small form', 413, { body: 'a&'.repeat(1_000) }],
    ['names that are of objects', 403, { body: '__proto__=a&__proto__[b]=c&constructor=d&toString=e&a[b][c]=f' }],
    ['letters that are none', 403, { body: 'a=%FF%zz%' }],
    ['a strange charset', 403, { body: 'a=b', headers: { 'Content-Type': `${FORM}; charset=utf-16` } }],
    ['nothing', 403, { body: '' }],
    ['an absolute target', 403, { target: 'http://elsewhere.example/sms/inbound', body: 'a=b' }],
    ['an absolute target with a host that is none', 403, { target: 'http://a:b:c/sms/inbound', body: 'a=b' }],
    ['an absolute target without a host', 400, { target: 'http:///sms/inbound', body: 'a=b' }],
    ['a target of another protocol', 400, { target: 'ftp://elsewhere.example/sms/inbound', body: 'a=b' }],
    ['letters in the query that are none', 403, { target: '/sms/status?text=%E0%A4%A', body: 'a=b' }],
    ['two slashes', 404, { target: '//sms/inbound', body: 'a=b' }],
  ])('a stranger who sends %s is answered %i, and nothing is said of it', async (_, status, request) => {
    const before = gateway.lines.length;
    expect(await send({ ...request, headers: { 'X-Twilio-Signature': 'guessed', ...request.headers } })).toBe(status);
    await seenAll();
    expect(gateway.lines.slice(before)).toEqual([]);
  });

  it('a stranger who goes away in the middle leaves no line in the log', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    await once(socket, 'connect');
    const before = gateway.lines.length;
    const head = `POST /sms/inbound HTTP/1.1\r\nHost: gateway\r\nContent-Type: ${FORM}\r\nContent-Length: 100\r\n\r\n`;
    await new Promise((resolve) => socket.write(`${head}a=`, resolve));
    await seenAll();
    socket.destroy();
    await seenAll();
    expect(gateway.lines.slice(before)).toEqual([]);
  });

  it('what was refused is counted', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text();
    for (const why of ['no_form', 'too_large', 'malformed', 'not_found'])
      expect(metrics).toMatch(new RegExp(`^smspay_http_refused_total\\{why="${why}"\\} [1-9]`, 'm'));
  });

  it('a true webhook is taken though its target names a host, whichever', async () => {
    const ada = town.phone('Ada');
    const form = town.webhook(ada, 'MENU');
    expect(await send({ target: 'http://elsewhere.example:8080/sms/inbound', ...signed(form) })).toBe(200);
    await ada.receives(/^PAY amount/);
    // Signed over PUBLIC_URL, so over nothing that the target says of a host.
    const other = signed(town.webhook(ada, 'MENU'));
    expect(await send({ target: 'http://elsewhere.example/sms/status', ...other })).toBe(403);
    expect(wrong()).toEqual([]);
  });

  it.each([
    ['From', 'sender_is_no_phone'],
    ['To', 'menu'],
  ])('a true webhook with an empty %s is recorded, and has an outcome', async (field, outcome) => {
    const form: Webhook = { ...town.webhook(town.phone('Ben'), 'MENU'), [field]: '' };
    const request = signed(form);
    expect(await send(request)).toBe(200);
    town.taken.add(form.MessageSid);
    await until(async () => (await inbox().findOne({ _id: form.MessageSid }))?.outcome === outcome, {
      timeoutMs: 10_000,
      what: () => `the outcome ${outcome}`,
    });
    // Once more is not twice.
    expect(await send(request)).toBe(200);
    expect(wrong()).toEqual([]);
    await town.checkInvariants();
  });

  it('a stop waits for no stranger, and exits with 0', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(
      `POST /sms/inbound HTTP/1.1\r\nHost: gateway\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na=\r\n`,
    );
    await seenAll();
    const began = Date.now();
    await gateway.stop();
    expect(await gateway.ended()).toBe(0);
    expect(Date.now() - began).toBeLessThan(10_000);
  });
});
