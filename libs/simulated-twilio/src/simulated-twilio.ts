import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import formbody from '@fastify/formbody';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { apiError } from './api-error.ts';
import type { Message } from './message.ts';
import { type Callback, type CreateOutcome, type PhoneText, TwilioAccount, type TwilioAccountOptions } from './twilio-account.ts';
import { type PostedWebhook, WebhookClient } from './webhook-client.ts';

export interface SimulatedTwilioOptions extends TwilioAccountOptions {
  authToken: string;
  /** Any free one if absent. */
  port?: number;
  /** The address it listens at; 127.0.0.1 if absent. */
  host?: string;
  clock?: () => Date;
}

/** A text that arrived at a phone. `index` is its place in `textsTo`; `match` what the pattern captured, or the body alone. */
export interface ArrivedText {
  message: Message;
  index: number;
  match: readonly string[];
}

interface Waiter {
  after: number;
  matcher: RegExp | ((body: string) => boolean);
  take: (arrived: ArrivedText) => void;
  fail: (error: Error) => void;
}

/**
 * Plays Twilio and the phones in real time: a `TwilioAccount` behind HTTP, which posts signed webhooks, and helpers for tests. For
 * development and tests, never in production. Events: those of the account, and `webhook` when a webhook was answered or given up.
 */
export class SimulatedTwilio extends EventEmitter<{ text: [Message]; status: [Message]; webhook: [PostedWebhook] }> {
  /** More routes may be added before `listen()`. Ends what is open at `close()`. */
  readonly http = fastify({ forceCloseConnections: true });
  /** Decides what becomes of a create call that is valid. */
  onCreate: ((message: { to: string; from: string; body: string }) => CreateOutcome) | undefined;
  /** Says whether a callback is posted. */
  onCallback: ((callback: Callback) => boolean) | undefined;

  readonly #options: SimulatedTwilioOptions;
  readonly #webhooks: WebhookClient;
  readonly #account: TwilioAccount;
  readonly #authorization: string;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #held: Callback[] | undefined;
  #url = '';

  constructor(options: SimulatedTwilioOptions) {
    super();
    this.#options = options;
    this.#webhooks = new WebhookClient(options.authToken, (posted) => this.emit('webhook', posted));
    this.#account = new TwilioAccount(options, {
      clock: options.clock ?? (() => new Date()),
      later: (delayMs, work) => this.#later(delayMs, work),
      newSid: (kind) => kind + randomUUID().replaceAll('-', ''),
      post: (url, form) => this.#webhooks.post(url, form),
    });
    this.#account.onCreate = (message) => this.onCreate?.(message) ?? 'ok';
    this.#account.onCallback = (callback) => this.#mayPost(callback);
    this.#account.on('status', (message) => this.emit('status', message));
    this.#account.on('text', (message) => this.#arrived(message));
    this.#authorization = `Basic ${Buffer.from(`${options.accountSid}:${options.authToken}`).toString('base64')}`;
    this.#addApi();
  }

  /** The base of the REST API, for `TWILIO_API_URL`. Empty before `listen()`. */
  get url(): string {
    return this.#url;
  }

  /** Phones that nothing reaches: texts to them end `undelivered`, error 30003. */
  get unreachable(): Set<string> {
    return this.#account.unreachable;
  }

  async listen(): Promise<string> {
    this.#url = await this.http.listen({ host: this.#options.host ?? '127.0.0.1', port: this.#options.port ?? 0 });
    return this.#url;
  }

  /** Stops answering and sending; callbacks on their way are cut. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const waiting of this.#waiters.values())
      for (const waiter of waiting) waiter.fail(new Error('the simulated Twilio was closed'));
    this.#webhooks.close();
    await this.http.close();
  }

  /**
   * A phone sends a text to one of our numbers. Resolves with the HTTP status of the webhook, 0 if it gave none: then the message is in
   * Twilio's list and nowhere else. With a `messageSid` that was used before, the webhook of that message is posted again.
   */
  sendFromPhone(sms: PhoneText): Promise<{ sid: string; status: number }> {
    return this.#account.sendFromPhone(sms);
  }

  /** Posts a form as Twilio does, signed; resolves with the status of the answer, or 0. For webhooks that no message causes. */
  post(url: string, form: Record<string, string>): Promise<number> {
    return this.#webhooks.post(url, form);
  }

  /** All that arrived at a phone, in order. */
  textsTo(number: string): readonly Message[] {
    return this.#account.textsTo(number);
  }

  /** The first text at or behind place `after` that matches, also one that has already arrived. Rejects after `timeoutMs`. */
  waitForText(
    number: string,
    matcher: RegExp | ((body: string) => boolean),
    { after = 0, timeoutMs = 10_000 }: { after?: number; timeoutMs?: number } = {},
  ): Promise<ArrivedText> {
    for (const [index, message] of this.textsTo(number).entries()) {
      const match = index >= after ? matchOf(message.body, matcher) : undefined;
      if (match) return Promise.resolve({ message, index, match });
    }
    const waiting = this.#waiters.get(number) ?? new Set<Waiter>();
    this.#waiters.set(number, waiting);
    return new Promise((resolve, reject) => {
      const ending =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          this.#timers.delete(timer);
          waiting.delete(waiter);
          settle(value);
        };
      const waiter: Waiter = { after, matcher, take: ending(resolve), fail: ending(reject) };
      const timer = this.#later(timeoutMs, () => {
        const texts = this.textsTo(number).map((message, index) => `\n  ${index}: ${message.body}`);
        waiter.fail(
          new Error(
            `no text to ${number} from place ${after} on matched ${matcher} in ${timeoutMs} ms; it has${texts.join('') || ' none'}`,
          ),
        );
      });
      waiting.add(waiter);
    });
  }

  /** From now on callbacks wait. */
  holdCallbacks(): void {
    this.#held ??= [];
  }

  /** Posts what waited, as `arrange` gives it (in another order, twice, some left out), one after the other. Callbacks no longer wait. */
  async releaseCallbacks(arrange: (held: readonly Callback[]) => readonly Callback[] = (held) => held): Promise<void> {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { url, form } of arrange(held)) await this.#webhooks.post(url, form);
  }

  #addApi(): void {
    this.http.register(formbody);
    this.http.register(async (api) => {
      api.addHook('onRequest', async ({ headers }, reply) =>
        headers.authorization === this.#authorization ? undefined : reply.code(401).send(apiError(401, 20003, 'Authenticate')),
      );
      api.post('/2010-04-01/*', (request, reply) => this.#answer('POST', request, reply));
      api.get('/2010-04-01/*', (request, reply) => this.#answer('GET', request, reply));
    });
  }

  #answer(method: 'GET' | 'POST', request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const [path = '', query] = request.url.split('?', 2);
    const answer = this.#account.request({
      method,
      path,
      query: Object.fromEntries(new URLSearchParams(query)),
      form: (request.body ?? {}) as Record<string, string>,
    });
    if (!answer.noReply)
      return reply
        .code(answer.status)
        .headers(answer.headers ?? {})
        .send(answer.body);
    if (answer.noReply === 'accept_and_drop_reply') request.raw.socket.destroy();
    return reply.hijack();
  }

  #mayPost(callback: Callback): boolean {
    if (this.onCallback && !this.onCallback(callback)) return false;
    this.#held?.push(callback);
    return !this.#held;
  }

  #arrived(message: Message): void {
    const index = this.textsTo(message.to).length - 1;
    this.emit('text', message);
    for (const waiter of this.#waiters.get(message.to) ?? []) {
      const match = index >= waiter.after ? matchOf(message.body, waiter.matcher) : undefined;
      if (match) waiter.take({ message, index, match });
    }
  }

  #later(delayMs: number, work: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }
}

function matchOf(body: string, matcher: RegExp | ((body: string) => boolean)): readonly string[] | undefined {
  if (typeof matcher === 'function') return matcher(body) ? [body] : undefined;
  const match = body.match(matcher);
  return match ? [...match] : undefined;
}
