import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Metrics, realHost } from '#libs/runtime';
import { BoundedHttpServer, listenAt } from './bounded-http-server.ts';

let metrics: Metrics;
let http: BoundedHttpServer;
/** Answers with the target; `/missing` with 404, `/slow` after a second. */
let server: Server;
/** The bodies it was given. */
let seen: unknown[];
const sockets = new Set<Socket>();

beforeEach(async () => {
  metrics = new Metrics(realHost);
  http = new BoundedHttpServer(metrics);
  seen = [];
  server = http.serve(async (request: IncomingMessage & { body?: object }, response) => {
    seen.push(request.body && { ...request.body });
    if (request.url === '/slow') await realHost.sleep(1_000);
    response.writeHead(request.url === '/missing' ? 404 : 200).end(request.url);
  });
  server.listen(listenAt(0));
  await once(server, 'listening');
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A connection with what came back so far; `sent` is what the stranger sends, and no more. */
async function stranger(sent: string): Promise<{ socket: Socket; got: () => string; ended: Promise<unknown> }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let got = '';
  sockets.add(socket);
  socket.setEncoding('utf8').on('data', (text: string) => (got += text));
  socket.on('error', () => undefined);
  const ended = once(socket, 'close');
  await once(socket, 'connect');
  socket.write(sent);
  return { socket, got: () => got, ended };
}

const FORM = 'Content-Type: application/x-www-form-urlencoded';
const post = (body: string, ...headers: string[]) =>
  ['POST / HTTP/1.1', 'Host: here', `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n');
const chunked = (pieces: string[]) =>
  ['POST / HTTP/1.1', 'Host: here', FORM, 'Transfer-Encoding: chunked', '', ''].join('\r\n') +
  pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: here\r\n\r\n`;

async function refused(): Promise<Record<string, number>> {
  const lines = [...(await metrics.text()).matchAll(/^smspay_http_refused_total\{why="(\w+)"\} (\d+)/gm)];
  return Object.fromEntries(lines.map(([, why, count]) => [why, Number(count)]));
}

/** Waits for the first line of the answer. */
async function statusOf({ socket, got }: { socket: Socket; got: () => string }): Promise<number> {
  while (!got().includes('\r\n\r\n')) await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  return Number(got().split(' ')[1]);
}

describe('a form', () => {
  it('is read as it was sent, in one piece or in pieces of a byte', async () => {
    const form = 'From=%2B254712345678&Body=PAY+25+%F0%9F%98%80&From=x&__proto__=y&empty=';
    const read = { From: ['+254712345678', 'x'], Body: 'PAY 25 😀', ['__proto__']: 'y', empty: '' };
    expect(await statusOf(await stranger(post(form, FORM)))).toBe(200);
    expect(await statusOf(await stranger(post(form, `${FORM}; charset=UTF-8`)))).toBe(200);
    expect(await statusOf(await stranger(`${chunked([...form])}0\r\n\r\n`))).toBe(200);
    for (const body of seen) expect(Object.entries(body as object).toSorted()).toEqual(Object.entries(read).toSorted());
    expect(seen).toHaveLength(3);
  });

  it("passes if it is the provider's largest", async () => {
    const sid = (kind: string) => kind + 'f'.repeat(32);
    const form = new URLSearchParams({ Body: '😀'.repeat(1_600), NumMedia: '10', From: '+254712345678' });
    for (let index = 0; index < 10; index++) {
      form.set(`MediaContentType${index}`, 'application/vnd.openxmlformats-officedocument.wordprocessingml.document');
      const path = `Accounts/${sid('AC')}/Messages/${sid('MM')}/Media/${sid('ME')}`;
      form.set(`MediaUrl${index}`, `https://api.twilio.com/2010-04-01/${path}`);
    }
    for (let index = 0; index < 30; index++) form.set(`FieldThatTwilioMayAdd${index}`, 'x'.repeat(100));
    expect(await statusOf(await stranger(post(String(form), FORM)))).toBe(200);
  });

  it('that is absent is none', async () => {
    expect(await statusOf(await stranger(get('/?a=b')))).toBe(200);
    expect(await statusOf(await stranger(post('')))).toBe(200);
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('a stranger', () => {
  it.each([
    ['JSON', 415, 'no_form', () => post('{}', 'Content-Type: application/json')],
    ['a text', 415, 'no_form', () => post('a=b', 'Content-Type: text/plain')],
    ['something without a type', 415, 'no_form', () => post('a=b')],
    ['a packed form', 415, 'no_form', () => post('a=b', FORM, 'Content-Encoding: gzip')],
    ['a form that is too large', 413, 'too_large', () => post(`a=${'b'.repeat(32 * 1024)}`, FORM)],
    [
      'only the beginning of one',
      413,
      'too_large',
      () => `POST / HTTP/1.1\r\nHost: here\r\n${FORM}\r\nContent-Length: 999999999999\r\n\r\n`,
    ],
    ['one in chunks that does not end', 413, 'too_large', () => chunked(Array.from({ length: 33 }, () => 'a'.repeat(1024)))],
    ['too many fields', 413, 'too_large', () => post('a&'.repeat(200), FORM)],
    ['too long headers', 431, 'too_large', () => post('a=b', FORM, `X: ${'x'.repeat(20_000)}`)],
    ['what is not HTTP', 400, 'malformed', () => 'HELO here\r\n\r\n'],
    ['a target without a path', 400, 'malformed', () => get('*')],
    ['a target of another protocol', 400, 'malformed', () => get('ftp://here/')],
  ])('who sends %s is answered %i at once, and the connection is closed', async (_, status, why, request) => {
    const one = await stranger(request());
    expect(await statusOf(one)).toBe(status);
    await one.ended;
    expect(await refused()).toEqual({ [why]: 1 });
    expect(seen).toEqual([]);
  });

  it('keeps a connection only if it asks for what there is', async () => {
    const one = await stranger(get('/'));
    expect(await statusOf(one)).toBe(200);
    one.socket.write(get('/missing'));
    await one.ended;
    expect(one.got()).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 404 .*Connection: close/s);
    expect(await refused()).toEqual({ not_found: 1 });
  });

  it('may name a host in the target, which counts for nothing', async () => {
    const targets = [
      'http://elsewhere.example:8080/sms?a=b',
      'HTTPS://elsewhere.example/sms?a=b',
      'http://elsewhere.example?a=b',
    ];
    const answers = await Promise.all(targets.map((target) => stranger(get(target))));
    expect(await Promise.all(answers.map(statusOf))).toEqual([200, 200, 200]);
    expect(answers.map(({ got }) => /\/\S*\?a=b/.exec(got())?.[0])).toEqual(['/sms?a=b', '/sms?a=b', '/?a=b']);
  });

  it('who does not finish is answered 408 in time, though a byte comes now and then', async () => {
    const began = Date.now();
    const beginnings = [
      { sent: '', drip: '' },
      { sent: 'POST / HTTP/1.1\r\nHost: here\r\n', drip: 'X' },
      { sent: `POST / HTTP/1.1\r\nHost: here\r\n${FORM}\r\nContent-Length: 100\r\n\r\na=`, drip: 'b' },
      { sent: chunked(['a=']), drip: '1\r\nb\r\n' },
    ];
    const strangers = await Promise.all(beginnings.map(({ sent }) => stranger(sent)));
    const drips = setInterval(() => beginnings.forEach(({ drip }, index) => strangers[index]?.socket.write(drip)), 500);
    expect(await Promise.all(strangers.map(statusOf))).toEqual([408, 408, 408, 408]);
    await Promise.all(strangers.map(({ ended }) => ended));
    clearInterval(drips);
    expect(Date.now() - began).toBeLessThan(13_000);
    expect(await refused()).toEqual({ slow: 4 });
    expect(seen).toEqual([]);
  });

  it('who does not wait for an answer before it asks again gets no other', async () => {
    const one = await stranger(get('/slow').repeat(100));
    await one.ended;
    expect(seen).toHaveLength(1);
    expect(await refused()).toEqual({ early: 1 });
    expect(await statusOf(await stranger(get('/')))).toBe(200);
  });

  it('who waits longest with an unfinished request makes room, and no one else', async () => {
    const kept = await stranger(get('/'));
    expect(await statusOf(kept)).toBe(200);
    const slow = await stranger(get('/slow'));
    const crowd = await Promise.all(Array.from({ length: 2_000 }, () => stranger('GET / HTTP')));
    expect(await refused()).toEqual({});
    const honest = await stranger(get('/'));
    expect(await statusOf(honest)).toBe(200);
    expect(await statusOf(slow)).toBe(200);
    await crowd[0]?.ended;
    expect(crowd.filter(({ socket }) => socket.destroyed)).toHaveLength(1);
    expect(kept.socket.destroyed).toBe(false);
    expect(await refused()).toEqual({ crowded: 1 });
  });

  it('who keeps connections without a use loses them when there is room for no more', async () => {
    for (let some = 0; some < 6; some++) {
      const kept = await Promise.all(Array.from({ length: 500 }, () => stranger(get('/'))));
      expect(new Set(await Promise.all(kept.map(statusOf)))).toEqual(new Set([200]));
    }
    await (
      await stranger(get('/'))
    ).ended;
    expect(await statusOf(await stranger(get('/')))).toBe(200);
    expect(await refused()).toEqual({ crowded: 1 });
  });
});

describe('a stop', () => {
  it('lets who is being answered have the answer, and cuts off who does not finish', async () => {
    const unfinished = await Promise.all([stranger(''), stranger('GET / HT'), stranger(chunked(['a=']))]);
    const slow = await stranger(get('/slow'));
    await realHost.sleep(50);
    const began = Date.now();
    await http.close(server, realHost);
    expect(Date.now() - began).toBeLessThan(5_000);
    expect(slow.got()).toMatch(/^HTTP\/1\.1 200 /);
    await Promise.all(unfinished.map(({ ended }) => ended));
    expect(unfinished.map(({ got }) => got())).toEqual(['', '', '']);
  });
});
