import type { Message } from '#libs/simulated-twilio';
import { TwilioAccount } from '#libs/simulated-twilio';
import type { INestApplication } from '@nestjs/common';
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import type { TwilioHttp } from '../../apps/sms-gateway/src/providers/twilio.ts';
import type { Chance } from './chance.ts';
import { putIn } from './http.ts';
import type { SimulatedProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import type { Story } from './story.ts';

/** Twilio's own patience with a webhook, all tries together. */
const WEBHOOK_MS = 15_000;
/** The gateway's patience with one call of the API. */
const API_MS = 10_000;

/** What can go wrong with the provider. Parts are of the calls of its API. */
export interface ProviderFaults {
  refused: number;
  tooMany: number;
  broken: number;
  hangs: number;
  lostReplies: number;
  /** Answers of the API come so much later, milliseconds on average. */
  slowMs: number;
  /** Sends that are refused for a reason that concerns all, as if our number were gone. */
  rejects: number;
  /** The list answers 503, or breaks off in the middle. */
  listFails: boolean;
  listCut: boolean;
  /** The list shows a message so much after it was taken, milliseconds on average. */
  listLateMs: number;
  /** The part of status callbacks that never come, and of those that come twice. */
  callbacksLost: number;
  callbacksDoubled: number;
  /** Callbacks are on their way so long, milliseconds on average, and so in any order. */
  callbackMs: number;
  /** The part of webhooks with SMS that are posted a second time though they were answered. */
  webhooksDoubled: number;
}

export const NO_PROVIDER_FAULTS: ProviderFaults = {
  refused: 0,
  tooMany: 0,
  broken: 0,
  hangs: 0,
  lostReplies: 0,
  slowMs: 0,
  rejects: 0,
  listFails: false,
  listCut: false,
  listLateMs: 0,
  callbacksLost: 0,
  callbacksDoubled: 0,
  callbackMs: 20,
  webhooksDoubled: 0,
};

/** A gateway as the provider reaches it. */
export interface Gateway {
  process: SimulatedProcess;
  app: INestApplication;
}

type Request = Parameters<TwilioHttp['request']>[0];

/** Twilio: its account is the one that development and the tests use too; how it is reached, and what goes wrong, is this world's. */
export class SimulatedProvider {
  readonly account: TwilioAccount;
  faults: ProviderFaults = NO_PROVIDER_FAULTS;
  /** Called when an SMS was answered 2xx: from then on nothing may be lost. */
  onTaken: (sid: string) => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #story: Story;
  readonly #authToken: string;
  readonly #gateways: () => readonly Gateway[];
  /** Messages that the list did not show when it was asked for their receiver: only such a text may be sent twice. */
  readonly missed = new Set<string>();
  readonly #hidden = new Map<string, { to: string; untilMs: number }>();

  constructor(
    { accountSid, authToken, number, publicUrl }: { accountSid: string; authToken: string; number: string; publicUrl: string },
    parts: { scheduler: Scheduler; chance: Chance; story: Story; gateways: () => readonly Gateway[] },
  ) {
    this.#scheduler = parts.scheduler;
    this.#chance = parts.chance;
    this.#story = parts.story;
    this.#gateways = parts.gateways;
    this.#authToken = authToken;
    this.account = new TwilioAccount(
      {
        accountSid,
        numbers: [number],
        webhookUrl: `${publicUrl}/sms/inbound`,
        delayMs: () => this.#chance.wait(300),
        // Of some accounts' messages only the end is told.
        ...(this.#chance.is(0.5) ? { callbackStatuses: ['delivered', 'undelivered', 'failed'] } : {}),
        listDelayMs: (message) => this.#listDelayMs(message),
      },
      {
        clock: () => new Date(Math.floor(this.#scheduler.nowMs)),
        later: (delayMs, work) => this.#scheduler.after(delayMs, work),
        newSid: (kind) => kind + this.#chance.bytes(16).toString('hex'),
        post: (url, form) => this.#post(url, form),
      },
    );
  }

  /** Twilio's API as the SDK in one process calls it. */
  httpOf(process: SimulatedProcess): TwilioHttp {
    return { request: ((options: Request) => this.#call(process, options)) as TwilioHttp['request'] };
  }

  #listDelayMs(message: Message): number {
    const delayMs = this.faults.listLateMs > 0 ? this.#chance.wait(this.faults.listLateMs) : 0;
    this.#hidden.set(message.sid, { to: message.to, untilMs: this.#scheduler.nowMs + delayMs });
    return delayMs;
  }

  #call(process: SimulatedProcess, { method, uri, params, data }: Request): Promise<unknown> {
    const url = new URL(uri);
    const verb = method.toUpperCase();
    const isList = verb === 'GET';
    const query = { ...Object.fromEntries(url.searchParams), ...words(params) };
    return process.call(`provider ${isList ? 'list' : 'send'} ${query['To'] ?? words(data)['To'] ?? ''}`, (answer) => {
      const { refused, tooMany, broken, hangs, lostReplies, slowMs, rejects, listFails, listCut } = this.faults;
      const fail = (code: string) => answer({ error: Object.assign(new Error(code), { code }) });
      if (this.#chance.is(refused)) return fail('ECONNREFUSED');
      if (this.#chance.is(tooMany)) return answer({ value: errorResponse(429, 20429) });
      if (this.#chance.is(broken)) return answer({ value: errorResponse(503, 20503) });
      if (isList && listFails) return answer({ value: errorResponse(503, 20503) });
      if (!isList && this.#chance.is(rejects)) return answer({ value: errorResponse(400, 21606) });
      if (this.#chance.is(hangs)) return void this.#scheduler.after(API_MS, () => fail('ECONNABORTED'));
      const reply = this.account.request({ method: verb, path: url.pathname, query, form: words(data) });
      if (isList) this.#note(query['To'] ?? '');
      if (reply.noReply !== undefined) throw new Error('this account has no hooks');
      if (this.#chance.is(lostReplies)) return fail('ECONNRESET');
      const delayMs = slowMs > 0 ? this.#chance.wait(slowMs) : 0;
      this.#scheduler.after(Math.min(delayMs, API_MS), () =>
        delayMs >= API_MS
          ? fail('ECONNABORTED')
          : answer({ value: { statusCode: reply.status, body: isList && listCut ? half(reply.body) : reply.body, headers: {} } }),
      );
      return undefined;
    });
  }

  /** What the list should have shown and did not. */
  #note(to: string): void {
    for (const [sid, message] of this.#hidden) {
      if (message.untilMs <= this.#scheduler.nowMs) this.#hidden.delete(sid);
      else if (message.to === to) this.missed.add(sid);
    }
  }

  /** Posts a webhook or callback to a gateway; a broken connection is tried once more (twilio.com/docs/usage/webhooks). */
  #post(url: string, form: Record<string, string>): Promise<number> {
    const isSms = !('MessageStatus' in form && form['SmsStatus'] !== 'received');
    if (!isSms) {
      if (this.#chance.is(this.faults.callbacksLost)) return Promise.resolve(0);
      const again = this.#chance.is(this.faults.callbacksDoubled);
      for (let copy = 0; copy < (again ? 2 : 1); copy++)
        this.#scheduler.after(this.#chance.wait(this.faults.callbackMs), () => void this.#deliver(url, form));
      return Promise.resolve(0);
    }
    if (this.#chance.is(this.faults.webhooksDoubled))
      this.#scheduler.after(this.#chance.wait(2_000), () => void this.#deliver(url, form));
    return this.#deliver(url, form);
  }

  #deliver(url: string, form: Record<string, string>): Promise<number> {
    const { pathname, search } = new URL(url);
    const request = {
      method: 'POST' as const,
      url: pathname + search,
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        'x-twilio-signature': getExpectedTwilioSignature(this.#authToken, url, form),
      },
      body: new URLSearchParams(form).toString(),
    };
    return new Promise((resolve) => {
      let tries = 0;
      let ended = false;
      const end = (status: number) => {
        if (ended) return;
        ended = true;
        if (status >= 200 && status < 300 && 'Body' in form) this.onTaken(form['MessageSid'] ?? '');
        resolve(status);
      };
      this.#scheduler.after(WEBHOOK_MS, () => end(0));
      const attempt = () => {
        const gateways = this.#gateways();
        if (tries++ === 2 || ended) return end(0);
        if (gateways.length === 0) return void this.#scheduler.after(this.#chance.wait(5), attempt);
        const { process, app } = this.#chance.pick(gateways);
        let broken = false;
        const unmourn = process.onEnd(() => {
          broken = true;
          this.#scheduler.after(this.#chance.wait(1), attempt);
        });
        this.#scheduler.after(process.wayMs(), () =>
          process.hear(() =>
            process.at(
              `as ${pathname} arrives`,
              () =>
                void putIn(app, request).then((status) =>
                  process.at(`before answering ${pathname}`, () => {
                    unmourn();
                    this.#story.did(process.name, `${pathname} ${form['MessageSid']?.slice(0, 8)} answered ${status}`);
                    this.#scheduler.after(process.wayMs(), () => {
                      if (!broken) end(status);
                    });
                  }),
                ),
            ),
          ),
        );
        return undefined;
      };
      attempt();
    });
  }
}

const words = (form: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(form ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, wordOf(value)]])));

const wordOf = (value: unknown) => (value instanceof Date ? value.toISOString() : String(value));

const errorResponse = (status: number, code: number) => ({
  statusCode: status,
  body: { code, message: 'simulated', status, more_info: '' },
  headers: {},
});

/** As much of an answer as came before its connection broke. */
const half = (body: unknown) => JSON.stringify(body).slice(0, JSON.stringify(body).length >> 1);
