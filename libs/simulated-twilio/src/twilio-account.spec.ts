import { beforeEach, describe, expect, it } from '@jest/globals';
import { TwilioAccount, type TwilioAccountOptions, type TwilioWorld } from './index.ts';

const ACCOUNT = 'AC00000000000000000000000000000001';
const MESSAGES = `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`;
const OURS = '+254700000001';
const ADA = '+254712345678';
const BEN = '+254712345679';
const CALLBACK = 'https://pay.example/sms/status';

interface Posted {
  url: string;
  form: Record<string, string>;
  answer: (status: number) => void;
}

interface Listed {
  sid: string;
  body: string;
  status: string;
  error_code: number | null;
}

interface Page {
  messages: Listed[];
  next_page_uri: string | null;
}

/** Time goes on when it is told to; what is posted waits for its answer. */
class HandDriven implements TwilioWorld {
  readonly posted: Posted[] = [];
  #nowMs = Date.parse('2026-01-01T10:00:00Z');
  #due: { atMs: number; work: () => void }[] = [];
  #sids = 0;

  readonly clock = () => new Date(this.#nowMs);
  readonly later = (delayMs: number, work: () => void) => this.#due.push({ atMs: this.#nowMs + delayMs, work });
  readonly newSid = (kind: 'SM' | 'MM') => kind + String(++this.#sids).padStart(32, '0');
  readonly post = (url: string, form: Record<string, string>) =>
    new Promise<number>((answer) => void this.posted.push({ url, form, answer }));

  /** Lets time pass, and what is due in it happen. */
  pass(ms: number): void {
    const until = this.#nowMs + ms;
    for (;;) {
      const next = this.#due.toSorted((one, other) => one.atMs - other.atMs)[0];
      if (!next || next.atMs > until) break;
      this.#due = this.#due.filter((due) => due !== next);
      this.#nowMs = next.atMs;
      next.work();
    }
    this.#nowMs = until;
  }
}

let world: HandDriven;
let account: TwilioAccount;

function open(options: Partial<TwilioAccountOptions> = {}): void {
  account = new TwilioAccount(
    { accountSid: ACCOUNT, numbers: [OURS], webhookUrl: 'https://pay.example/sms/inbound', ...options },
    world,
  );
}

/** The body of an answer; an error of the test if there is none. */
function ask<Body>(method: string, path: string, more: { query?: Record<string, string>; form?: Record<string, string> } = {}) {
  const reply = account.request({ method, path, ...more });
  if (reply.noReply) throw new Error(`no reply: ${reply.noReply}`);
  return { ...reply, body: reply.body as Body };
}

const create = (body: string, more: Record<string, string> = {}) =>
  ask<Listed & { code?: number }>('POST', MESSAGES, {
    form: { From: OURS, To: ADA, Body: body, StatusCallback: CALLBACK, ...more },
  });
const fetched = (sid: string) => ask<Listed>('GET', MESSAGES.replace('.json', `/${sid}.json`));
const list = (query: Record<string, string> = {}) => ask<Page>('GET', MESSAGES, { query }).body;
const bodies = ({ messages }: Page) => messages.map(({ body }) => body);
const statuses = () => world.posted.map(({ form }) => form['MessageStatus']);

function nextOf({ next_page_uri: uri }: Page): Page {
  const { pathname, searchParams } = new URL(uri ?? '', 'https://api.twilio.com');
  return ask<Page>('GET', pathname, { query: Object.fromEntries(searchParams) }).body;
}

beforeEach(() => {
  world = new HandDriven();
});

describe('the REST API without HTTP', () => {
  it('creates, fetches and lists a message, and knows nothing else', () => {
    open();
    const { status, body } = create('hello');
    expect([status, body.status, body.sid]).toEqual([201, 'queued', `SM${'1'.padStart(32, '0')}`]);
    expect(fetched(body.sid)).toEqual({ status: 200, body });
    expect(list()).toMatchObject({ messages: [body], uri: MESSAGES, next_page_uri: null });
    for (const [method, path] of [
      ['GET', MESSAGES.replace('.json', '/SM2.json')],
      ['GET', MESSAGES.replace(ACCOUNT, 'AC2')],
      ['GET', MESSAGES.replace('Messages', 'Calls')],
      ['DELETE', MESSAGES],
    ] as const)
      expect(ask(method, path)).toMatchObject({ status: 404, body: { code: 20404, status: 404 } });
  });

  it('says which replies are never heard, and whether the message was taken', () => {
    open();
    const form = { From: OURS, To: ADA, Body: 'hello' };
    account.onCreate = () => 'hang';
    expect(account.request({ method: 'POST', path: MESSAGES, form })).toEqual({ noReply: 'hang' });
    expect(list().messages).toEqual([]);
    account.onCreate = () => 'accept_and_drop_reply';
    expect(account.request({ method: 'POST', path: MESSAGES, form })).toEqual({ noReply: 'accept_and_drop_reply' });
    expect(bodies(list())).toEqual(['hello']);
    account.onCreate = () => ({ status: 503, headers: { 'retry-after': '1' } });
    expect(create('again')).toMatchObject({ status: 503, body: { code: 20503 }, headers: { 'retry-after': '1' } });
  });
});

describe('the list', () => {
  it('shows a message late, in its place; by its SID it is there at once', () => {
    open({ listDelayMs: ({ body }) => (body === 'one' ? 10_000 : 2_000) });
    const { sid } = create('one').body;
    world.pass(1_000);
    create('two');
    expect(bodies(list())).toEqual([]);
    expect(fetched(sid).status).toBe(200);
    world.pass(2_000);
    expect(bodies(list({ To: ADA }))).toEqual(['two']);
    world.pass(6_999);
    expect(bodies(list())).toEqual(['two']);
    world.pass(1);
    expect(bodies(list())).toEqual(['two', 'one']);
  });

  it('shows a text of a phone late too', () => {
    open({ listDelayMs: () => 500 });
    void account.sendFromPhone({ from: ADA, to: OURS, body: 'BAL' });
    expect(bodies(list())).toEqual([]);
    world.pass(500);
    expect(bodies(list({ From: ADA }))).toEqual(['BAL']);
  });

  it('turns its pages past the same messages whatever arrives, moves on or shows up between them', () => {
    open({
      delayMs: ({ body }) => (body === 'three' ? 30_000 : 3_600_000),
      listDelayMs: ({ body }) => (body === 'two' || body === 'four' ? 5_500 : 0),
    });
    for (const body of ['one', 'two', 'three', 'four', 'five']) {
      create(body);
      world.pass(1_000);
    }
    const query = { To: ADA, PageSize: '2', 'DateSent<': '2026-01-01T10:00:10Z' };
    const first = list(query);
    expect(bodies(first)).toEqual(['five', 'three']);
    create('six');
    world.pass(5_000);
    // `four` shows up too late for these pages, `two` in time.
    const second = nextOf(first);
    expect(bodies(second)).toEqual(['two', 'one']);
    expect(second.next_page_uri).toBeNull();
    expect(bodies(list({ To: ADA }))).toEqual(['six', 'five', 'four', 'three', 'two', 'one']);
    // The last message of the first page is sent, later than what is asked for, and so no longer found.
    world.pass(26_000);
    expect(bodies(nextOf(first))).toEqual(['two', 'one']);
  });
});

describe('delivery', () => {
  it('takes as long as the world says, for each message and status', () => {
    open({ delayMs: ({ body }, status) => (body === 'slow' ? 5_000 : status === 'queued' ? 1_000 : 2_000) });
    const moves: string[] = [];
    account.on('status', ({ body, status }) => moves.push(`${body} ${status}`));
    create('slow');
    create('fast');
    world.pass(3_000);
    expect(account.textsTo(ADA).map(({ body }) => body)).toEqual(['fast']);
    world.pass(7_000);
    expect(account.textsTo(ADA).map(({ body }) => body)).toEqual(['fast', 'slow']);
    expect(moves).toEqual([
      'slow queued',
      'fast queued',
      'fast sending',
      'fast sent',
      'fast delivered',
      'slow sending',
      'slow sent',
      'slow delivered',
    ]);
  });

  it('leaves the order of the callbacks to the world: each says how the message stood when it was posted', async () => {
    open({ delayMs: 1_000 });
    account.unreachable.add(BEN);
    const { sid } = create('hello', { To: BEN }).body;
    world.pass(2_000);
    const [sent, undelivered] = world.posted;
    undelivered?.answer(200);
    sent?.answer(0);
    await Promise.resolve();
    expect(world.posted.map(({ url, form }) => [url, form['MessageSid'], form['MessageStatus'], form['ErrorCode']])).toEqual([
      [CALLBACK, sid, 'sent', undefined],
      [CALLBACK, sid, 'undelivered', '30003'],
    ]);
    expect(fetched(sid).body).toMatchObject({ status: 'undelivered', error_code: 30003 });
  });

  it('posts no callback that the hook drops', () => {
    open();
    account.onCallback = ({ form }) => form['MessageStatus'] !== 'sent';
    create('hello');
    world.pass(0);
    expect(statuses()).toEqual(['delivered']);
  });

  it('sends nothing that waited longer than its ValidityPeriod: it fails when that is over, 30036', () => {
    open({ delayMs: 60_000 });
    const { sid } = create('late', { ValidityPeriod: '59' }).body;
    create('in time', { ValidityPeriod: '60' });
    world.pass(58_999);
    expect(fetched(sid).body.status).toBe('queued');
    world.pass(1);
    expect(fetched(sid).body).toMatchObject({ status: 'failed', error_code: 30036, date_sent: null });
    world.pass(61_001);
    expect(account.textsTo(ADA).map(({ body }) => body)).toEqual(['in time']);
    expect(statuses()).toEqual(['failed', 'sent', 'delivered']);
  });

  it('gives a message ten hours if it asks for no ValidityPeriod', () => {
    open({ delayMs: 36_000_001 });
    const { sid } = create('hello').body;
    world.pass(36_000_000);
    expect(fetched(sid).body).toMatchObject({ status: 'failed', error_code: 30036 });
  });
});

describe('a text of a phone', () => {
  it('comes again under its messageSid as the same webhook, and is one message', async () => {
    open();
    const first = account.sendFromPhone({ from: ADA, to: OURS, body: 'BAL' });
    world.posted[0]?.answer(0);
    const { sid, status } = await first;
    expect(status).toBe(0);
    expect(fetched(sid).body).toMatchObject({ status: 'received', error_code: 11200 });
    world.pass(60_000);
    const again = account.sendFromPhone({ from: ADA, to: OURS, body: 'BAL', messageSid: sid });
    const onceMore = account.sendFromPhone({ from: ADA, to: OURS, body: 'BAL', messageSid: sid });
    world.posted[2]?.answer(200);
    world.posted[1]?.answer(503);
    expect(await Promise.all([again, onceMore])).toEqual([
      { sid, status: 503 },
      { sid, status: 200 },
    ]);
    expect(world.posted.map(({ form }) => form)).toEqual(Array.from({ length: 3 }, () => world.posted[0]?.form));
    expect(list().messages).toHaveLength(1);
  });

  it('opts out and in: nothing is taken for an opted-out number, and a late duplicate of STOP changes nothing', () => {
    open();
    const says = (body: string, messageSid: string) => void account.sendFromPhone({ from: ADA, to: OURS, body, messageSid });
    says('STOP', 'SMstop');
    expect(create('hello')).toMatchObject({ status: 400, body: { code: 21610 } });
    expect(create('hello', { To: BEN }).status).toBe(201);
    says('START', 'SMstart');
    says('STOP', 'SMstop');
    expect(create('hello').status).toBe(201);
    world.pass(0);
    expect(account.textsTo(ADA).map(({ direction }) => direction)).toEqual(['reply', 'reply', 'outbound-api']);
    expect(world.posted.filter(({ form }) => form['Body'] === 'STOP')).toHaveLength(2);
  });
});
