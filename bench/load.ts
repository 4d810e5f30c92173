import { randomUUID } from 'node:crypto';
import { setInterval } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { inboundForm, SimulatedTwilio } from '#libs/simulated-twilio';

/** The load generator is a process of its own: it plays Twilio and the phones, the same for both ways. It does one order at a time. */
export type LoadOrder =
  /** Answers with the URL of Twilio's REST API. */
  | { do: 'listen'; account: TwilioAccount }
  /** Opens the wallets of all people. */
  | { do: 'join'; webhookUrl: string }
  /** Begins to pay. */
  | { do: 'begin'; webhookUrl: string; load: Load }
  /** Forgets what was measured until now. */
  | { do: 'count' }
  /** Begins no more payments, waits for those under way, and answers with `Measured`. */
  | { do: 'end' };

export interface TwilioAccount {
  accountSid: string;
  authToken: string;
  number: string;
}

/** `payers`: a closed loop, each begins its next payment when the last one is done. `perSecond`: an open one, begun by the clock. */
export type Load = { payers: number } | { perSecond: number };

/** Of the payments that ended between `count` and `end`. */
export interface Measured {
  seconds: number;
  /** From the start of the PAY webhook, or when it was due, to the second of both receipts at the phones. One for each payment. */
  latenciesMs: number[];
  /** From the start of a webhook of an SMS to its 200, on average. */
  webhookMs: number;
  /** Payments that were refused or took longer than `PATIENCE_MS`, or that nobody was free to begin. */
  lost: number;
}

/** Two people who pay each other in turn, so that no payment meets another on its way, but in the account of the fees. */
interface Pair {
  payer: string;
  payee: string;
}

/** What was seen since `count`. */
class Counted {
  readonly #since = performance.now();
  readonly #latenciesMs: number[] = [];
  readonly #webhooksMs: number[] = [];
  #lost = 0;

  payment(ms: number): void {
    this.#latenciesMs.push(ms);
  }

  webhook(ms: number): void {
    this.#webhooksMs.push(ms);
  }

  lost(): void {
    this.#lost++;
  }

  measured(): Measured {
    const webhookMs = this.#webhooksMs.reduce((sum, ms) => sum + ms, 0) / this.#webhooksMs.length;
    const seconds = (performance.now() - this.#since) / 1000;
    return { seconds, latenciesMs: [...this.#latenciesMs], webhookMs, lost: this.#lost };
  }
}

const PAIRS = 100;
const PATIENCE_MS = 20_000;
const JOINING_AT_ONCE = 16;

const pairs: Pair[] = Array.from({ length: PAIRS }, (_, index) => ({
  payer: numberOf(2 * index),
  payee: numberOf(2 * index + 1),
}));
const awaited = new Map<string, { pattern: RegExp; arrived: (match: RegExpMatchArray) => void }>();
const underWay = new Set<Promise<void>>();

let account: TwilioAccount;
let twilio: SimulatedTwilio;
const run = { paying: false };
let counted = new Counted();

process.on('disconnect', () => process.exit());
process.on('message', (order: LoadOrder) => void obey(order).then((answer) => process.send?.(answer)));

async function obey(order: LoadOrder): Promise<string | Measured | true> {
  switch (order.do) {
    case 'listen':
      return listen(order.account);
    case 'join':
      await join(order.webhookUrl);
      return true;
    case 'begin':
      run.paying = true;
      if ('payers' in order.load) beginClosed(order.webhookUrl, order.load.payers);
      else beginOpen(order.webhookUrl, order.load.perSecond);
      return true;
    case 'count':
      counted = new Counted();
      return true;
    case 'end': {
      const measured = counted.measured();
      run.paying = false;
      while (underWay.size > 0) await Promise.all(underWay);
      return measured;
    }
    default:
      return order satisfies never;
  }
}

function listen(given: TwilioAccount): Promise<string> {
  account = given;
  twilio = new SimulatedTwilio({
    accountSid: account.accountSid,
    authToken: account.authToken,
    numbers: [account.number],
    // Each way has its own; the phones below post to it themselves.
    webhookUrl: '',
    // One callback for each text: both ways have the same exchanges.
    callbackStatuses: ['delivered'],
  });
  twilio.on('text', ({ to, body }) => {
    const waiting = awaited.get(to);
    const match = waiting && body.match(waiting.pattern);
    if (!match) return;
    awaited.delete(to);
    waiting.arrived(match);
  });
  return twilio.listen();
}

async function join(webhookUrl: string): Promise<void> {
  const rest = pairs.flatMap(({ payer, payee }) => [payer, payee]);
  await Promise.all(
    Array.from({ length: JOINING_AT_ONCE }, async () => {
      for (let number = rest.shift(); number; number = rest.shift()) {
        const welcomed = hears(number, /^(Welcome|You have a wallet)/);
        if (!(await says(webhookUrl, number, 'JOIN Ada'))) throw new Error(`the webhook ${webhookUrl} did not take an SMS`);
        if (!(await welcomed)) throw new Error(`${number} was not welcomed within ${PATIENCE_MS} ms`);
      }
    }),
  );
}

function beginClosed(webhookUrl: string, payers: number): void {
  for (let payer = 0; payer < payers; payer++) {
    track(async () => {
      while (run.paying && pairs.length > 0) await payNext(webhookUrl, performance.now());
    });
  }
}

function beginOpen(webhookUrl: string, perSecond: number): void {
  const began = performance.now();
  let begun = 0;
  const timer = setInterval(() => {
    if (!run.paying) return clearInterval(timer);
    for (let due = began + (begun * 1000) / perSecond; due <= performance.now(); due = began + (begun * 1000) / perSecond) {
      track(() => payNext(webhookUrl, due));
      begun++;
    }
  }, 1);
}

function track(work: () => Promise<void>): void {
  const tracked: Promise<void> = work().finally(() => underWay.delete(tracked));
  underWay.add(tracked);
}

/** One payment of the pair that has waited longest, due since `dueAt`. */
async function payNext(webhookUrl: string, dueAt: number): Promise<void> {
  const pair = pairs.shift();
  if (!pair) {
    counted.lost();
    return;
  }
  const { payer, payee } = pair;
  if (await pay(webhookUrl, payer, payee)) {
    counted.payment(performance.now() - dueAt);
    pairs.push({ payer: payee, payee: payer });
  } else {
    // Its late texts would be taken for those of the next payment: the pair pays no more.
    counted.lost();
  }
}

/** The whole of one payment, with no time to think. True if both receipts came. */
async function pay(webhookUrl: string, payer: string, payee: string): Promise<boolean> {
  const quoted = hears(payer, /Reply (\d+)/);
  if (!(await says(webhookUrl, payer, `PAY 25 ${payee.replace('+254', '0')} lunch`))) return false;
  const [, code] = (await quoted) ?? [];
  if (!code) return false;
  const receipts = [hears(payer, /^Paid/), hears(payee, /^You got/)];
  if (!(await says(webhookUrl, payer, code))) return false;
  return (await Promise.all(receipts)).every((receipt) => receipt !== undefined);
}

/** Posts an SMS to the webhook as Twilio does; true if it was taken. */
async function says(webhookUrl: string, from: string, body: string): Promise<boolean> {
  const now = new Date();
  const sms = { sid: `SM${randomUUID().replaceAll('-', '')}`, from, to: account.number, body, numMedia: 0, numSegments: 1 };
  const began = performance.now();
  const status = await twilio.post(
    webhookUrl,
    inboundForm(
      { ...sms, direction: 'inbound', status: 'received', createdAt: now, updatedAt: now },
      account.accountSid,
      undefined,
    ),
  );
  counted.webhook(performance.now() - began);
  return status === 200;
}

/** The next text to a phone that matches; undefined if none comes in time. */
async function hears(number: string, pattern: RegExp): Promise<RegExpMatchArray | undefined> {
  const given = new AbortController();
  const arriving = new Promise<RegExpMatchArray>((arrived) => awaited.set(number, { pattern, arrived }));
  const patience = pause(PATIENCE_MS, undefined, { signal: given.signal, ref: false }).catch(() => undefined);
  const match = await Promise.race([arriving, patience]);
  given.abort();
  return match;
}

function numberOf(index: number): string {
  return `+2547120${String(index).padStart(5, '0')}`;
}
