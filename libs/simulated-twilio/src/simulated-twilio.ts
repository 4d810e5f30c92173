import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import formbody from '@fastify/formbody';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { type ApiError, apiError, plainApiError } from './api-error.ts';
import { inboundForm, type Message, type MessageStatus, resourceOf, segmentsOf, statusForm } from './message.ts';
import { reservedWordOf } from './reserved-words.ts';
import { type PostedWebhook, WebhookClient } from './webhook-client.ts';

export interface SimulatedTwilioOptions {
  accountSid: string;
  authToken: string;
  /** The account's own numbers, E.164: texts to them go to the webhook. */
  numbers: readonly string[];
  /** Where incoming messages are posted: `PUBLIC_URL` and `/sms/inbound`. */
  webhookUrl: string;
  /** Any free one if absent. */
  port?: number;
  /** The address it listens at; 127.0.0.1 if absent. */
  host?: string;
  /** With it the numbers are the sender pool of a Messaging Service with Advanced Opt-Out: only then Twilio posts `OptOutType`. */
  messagingServiceSid?: string;
  /** Which statuses are called back; Twilio's own choice if absent. */
  callbackStatuses?: readonly MessageStatus[];
  /** Between two statuses of a message. */
  delayMs?: number;
  clock?: () => Date;
}

/** What becomes of one `POST Messages.json`. Only `ok` and `accept_and_drop_reply` take the message. */
export type CreateOutcome =
  'ok' | 'hang' | 'accept_and_drop_reply' | { status: number; body?: object; headers?: Record<string, string> };

/** A status callback on its way. */
export interface Callback {
  url: string;
  form: Record<string, string>;
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

interface CreateForm {
  To?: string;
  From?: string;
  MessagingServiceSid?: string;
  Body?: string;
  StatusCallback?: string;
}

interface ListQuery {
  To?: string;
  From?: string;
  DateSent?: string;
  'DateSent>'?: string;
  'DateSent<'?: string;
  PageSize?: string;
  Page?: string;
  PageToken?: string;
}

const E164 = /^\+[1-9]\d{6,14}$/;
const BODY_MAX = 1600;
const PAGE_MAX = 1000;

/**
 * Plays Twilio and the phones, in memory: signed webhooks, the REST API of messages with Twilio's answers and error codes, status
 * callbacks, reserved words. For development and tests, never in production. Events: `text` when a text arrives at a phone, `status` at
 * each status of each message, the first included, `webhook` when a webhook was answered or given up.
 */
export class SimulatedTwilio extends EventEmitter<{ text: [Message]; status: [Message]; webhook: [PostedWebhook] }> {
  /** More routes may be added before `listen()`. Ends what is open at `close()`. */
  readonly http = fastify({ forceCloseConnections: true });
  /** Phones that nothing reaches: texts to them end `undelivered`, error 30003. */
  readonly unreachable = new Set<string>();
  /** Decides what becomes of a create call that is valid. */
  onCreate: ((message: { to: string; from: string; body: string }) => CreateOutcome) | undefined;
  /** Says whether a callback is posted. */
  onCallback: ((callback: Callback) => boolean) | undefined;

  readonly #options: SimulatedTwilioOptions;
  readonly #webhooks: WebhookClient;
  readonly #callbackStatuses: ReadonlySet<MessageStatus>;
  readonly #authorization: string;
  readonly #clock: () => Date;
  readonly #messages = new Map<string, Message>();
  readonly #byTo = new Map<string, Message[]>();
  readonly #byFrom = new Map<string, Message[]>();
  readonly #all: Message[] = [];
  readonly #texts = new Map<string, Message[]>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** `<number of ours> <phone>` */
  readonly #optedOut = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #held: Callback[] | undefined;
  #url = '';

  constructor(options: SimulatedTwilioOptions) {
    super();
    this.#options = options;
    this.#webhooks = new WebhookClient(options.authToken, (posted) => this.emit('webhook', posted));
    this.#callbackStatuses = new Set(options.callbackStatuses ?? ['sent', 'delivered', 'undelivered']);
    this.#authorization = `Basic ${Buffer.from(`${options.accountSid}:${options.authToken}`).toString('base64')}`;
    this.#clock = options.clock ?? (() => new Date());
    this.#addApi();
  }

  /** The base of the REST API, for `TWILIO_API_URL`. Empty before `listen()`. */
  get url(): string {
    return this.#url;
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
   * Twilio's list and nowhere else. With a `messageSid` that was used before, the same webhook is posted again.
   */
  async sendFromPhone(sms: {
    from: string;
    to: string;
    body: string;
    numMedia?: number;
    messageSid?: string;
  }): Promise<{ sid: string; status: number }> {
    if (!this.#options.numbers.includes(sms.to))
      throw new Error(`${sms.to} is none of the numbers ${this.#options.numbers.join(', ')}`);
    const numMedia = sms.numMedia ?? 0;
    const sid = sms.messageSid ?? sidOf(numMedia > 0 ? 'MM' : 'SM');
    const message = this.#messageOf({ ...sms, sid, numMedia, direction: 'inbound', status: 'receiving' });
    const known = this.#messages.get(sid);
    if (!known) {
      this.#keep(message);
      this.emit('status', message);
    }

    const word = reservedWordOf(sms.body);
    if (word) this.#obey(message, word.type, word.reply);
    const optOutType = this.#options.messagingServiceSid ? word?.type : undefined;
    const status = await this.#webhooks.post(
      this.#options.webhookUrl,
      inboundForm(message, this.#options.accountSid, optOutType),
    );
    const kept = known ?? message;
    if (status < 200 || status > 299) kept.errorCode = 11200;
    this.#move(kept, 'received');
    return { sid, status };
  }

  /** Posts a form as Twilio does, signed; resolves with the status of the answer, or 0. For webhooks that no message causes. */
  post(url: string, form: Record<string, string>): Promise<number> {
    return this.#webhooks.post(url, form);
  }

  /** All that arrived at a phone, in order. */
  textsTo(number: string): readonly Message[] {
    return this.#texts.get(number) ?? [];
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
    const account = '/2010-04-01/Accounts/:accountSid';
    this.http.register(formbody);
    this.http.register(async (api) => {
      api.addHook('onRequest', async (request, reply) => {
        if (request.headers.authorization !== this.#authorization) return send(reply, apiError(401, 20003, 'Authenticate'));
        const { accountSid } = request.params as { accountSid?: string };
        if (accountSid !== this.#options.accountSid) return send(reply, notFound(request));
        return undefined;
      });
      api.post<{ Body?: CreateForm }>(`${account}/Messages.json`, (request, reply) =>
        this.#create(request.body ?? {}, request, reply),
      );
      api.get<{ Querystring: ListQuery }>(`${account}/Messages.json`, async (request) => this.#list(request.query, request.url));
      api.get<{ Params: { file: string } }>(`${account}/Messages/:file`, async (request, reply) => {
        const message = this.#messages.get(request.params.file.replace(/\.json$/, ''));
        return message ? resourceOf(message, this.#options.accountSid) : send(reply, notFound(request));
      });
    });
  }

  #create(form: CreateForm, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const from = form.From ?? (form.MessagingServiceSid ? this.#senderFor(form.MessagingServiceSid) : undefined);
    const error = this.#refusalOf(form, from);
    if (error) return send(reply, error);
    const sms = { to: form.To ?? '', from: from ?? '', body: form.Body ?? '' };

    const outcome = this.onCreate?.(sms) ?? 'ok';
    if (typeof outcome === 'object')
      return reply
        .code(outcome.status)
        .headers(outcome.headers ?? {})
        .send(outcome.body ?? plainApiError(outcome.status));
    if (outcome === 'hang') return reply.hijack();

    const message = this.#messageOf({
      ...sms,
      sid: sidOf('SM'),
      numMedia: 0,
      direction: 'outbound-api',
      status: 'queued',
      ...(form.StatusCallback ? { statusCallback: form.StatusCallback } : {}),
    });
    this.#keep(message);
    this.emit('status', message);
    this.#deliver(message);
    if (outcome === 'accept_and_drop_reply') {
      request.raw.socket.destroy();
      return reply.hijack();
    }
    return reply.code(201).send(resourceOf(message, this.#options.accountSid));
  }

  /** Twilio's checks of a new message, in its order. */
  #refusalOf({ To, Body, MessagingServiceSid, StatusCallback }: CreateForm, from: string | undefined): ApiError | undefined {
    if (!To) return apiError(400, 21604, "A 'To' phone number is required.");
    if (!E164.test(To)) return apiError(400, 21211, `The 'To' number ${To} is not a valid phone number.`);
    if (!from && MessagingServiceSid) return apiError(404, 20404, `The Messaging Service ${MessagingServiceSid} was not found`);
    if (!from) return apiError(400, 21603, "A 'From' phone number is required.");
    if (!E164.test(from))
      return apiError(400, 21212, `The 'From' number ${from} is not a valid phone number, shortcode, or alphanumeric sender ID.`);
    if (!this.#options.numbers.includes(from)) {
      return apiError(
        400,
        21606,
        `The From phone number ${from} is not a valid, SMS-capable inbound phone number or short code for your account.`,
      );
    }
    if (!Body) return apiError(400, 21602, 'Message body is required.');
    if (Body.length > BODY_MAX)
      return apiError(400, 21617, `The concatenated message body exceeds the ${BODY_MAX} character limit`);
    if (StatusCallback && !URL.canParse(StatusCallback))
      return apiError(400, 21609, `The 'StatusCallback' URL ${StatusCallback} is not a valid URL`);
    if (this.#optedOut.has(`${from} ${To}`)) return apiError(400, 21610, 'Attempt to send to unsubscribed recipient');
    return undefined;
  }

  #senderFor(messagingServiceSid: string): string | undefined {
    return messagingServiceSid === this.#options.messagingServiceSid ? this.#options.numbers[0] : undefined;
  }

  #list(query: ListQuery, requestUrl: string): object {
    const pageSize = Math.min(Math.max(Number.parseInt(query.PageSize ?? '50', 10) || 50, 1), PAGE_MAX);
    const page = Number.parseInt(query.Page ?? '0', 10) || 0;
    const candidates = query.To ? this.#byTo.get(query.To) : query.From ? this.#byFrom.get(query.From) : this.#all;
    const found = (candidates ?? [])
      .filter((message) => (!query.From || message.from === query.From) && sentWithin(message.sentAt ?? message.createdAt, query))
      .toReversed();
    // A token names the last message of the page before, so that what arrives meanwhile shifts no page.
    const start = query.PageToken ? found.findIndex((message) => message.sid === query.PageToken?.slice(2)) + 1 : 0;
    const messages = found.slice(start, start + pageSize);
    const last = messages.at(-1);

    const pageUri = (pageNumber: number, token?: string) => {
      const uri = new URL(requestUrl, 'http://localhost');
      uri.searchParams.set('PageSize', String(pageSize));
      uri.searchParams.set('Page', String(pageNumber));
      uri.searchParams.delete('PageToken');
      if (token) uri.searchParams.set('PageToken', token);
      return `${uri.pathname}${uri.search}`;
    };
    return {
      messages: messages.map((message) => resourceOf(message, this.#options.accountSid)),
      page,
      page_size: pageSize,
      start: page * pageSize,
      end: page * pageSize + Math.max(messages.length - 1, 0),
      uri: requestUrl,
      first_page_uri: pageUri(0),
      next_page_uri: last && start + pageSize < found.length ? pageUri(page + 1, `PA${last.sid}`) : null,
      previous_page_uri: null,
    };
  }

  #messageOf(
    sms: Pick<Message, 'sid' | 'from' | 'to' | 'body' | 'numMedia' | 'direction' | 'status' | 'statusCallback'>,
  ): Message {
    const now = this.#clock();
    return {
      ...sms,
      ...(this.#options.messagingServiceSid ? { messagingServiceSid: this.#options.messagingServiceSid } : {}),
      numSegments: segmentsOf(sms.body),
      createdAt: now,
      updatedAt: now,
      ...(sms.direction === 'inbound' ? { sentAt: now } : {}),
    };
  }

  #keep(message: Message): void {
    this.#messages.set(message.sid, message);
    this.#all.push(message);
    append(this.#byTo, message.to, message);
    append(this.#byFrom, message.from, message);
  }

  #deliver(message: Message): void {
    const delayMs = this.#options.delayMs ?? 0;
    this.#later(delayMs, () => {
      this.#move(message, 'sending');
      message.sentAt = this.#clock();
      this.#move(message, 'sent');
      this.#later(delayMs, () => {
        if (this.unreachable.has(message.to)) {
          message.errorCode = 30003;
          this.#move(message, 'undelivered');
        } else {
          this.#move(message, 'delivered');
          this.#arrive(message);
        }
      });
    });
  }

  #move(message: Message, status: MessageStatus): void {
    message.status = status;
    message.updatedAt = this.#clock();
    this.emit('status', message);
    if (!message.statusCallback || !this.#callbackStatuses.has(status)) return;
    const callback = { url: message.statusCallback, form: statusForm(message, this.#options.accountSid) };
    if (this.onCallback && !this.onCallback(callback)) return;
    if (this.#held) this.#held.push(callback);
    else void this.#webhooks.post(callback.url, callback.form);
  }

  #arrive(message: Message): void {
    const index = append(this.#texts, message.to, message) - 1;
    this.emit('text', message);
    for (const waiter of this.#waiters.get(message.to) ?? []) {
      const match = index >= waiter.after ? matchOf(message.body, waiter.matcher) : undefined;
      if (match) waiter.take({ message, index, match });
    }
  }

  /** An opted-out phone hears nothing, not even an answer to HELP; a word that changes nothing is not answered either. */
  #obey({ from: phone, to: ours }: Message, type: 'STOP' | 'START' | 'HELP', reply: string): void {
    const pair = `${ours} ${phone}`;
    const optedOut = this.#optedOut.has(pair);
    if (type === 'START' ? !optedOut : optedOut) return;
    if (type === 'STOP') this.#optedOut.add(pair);
    if (type === 'START') this.#optedOut.delete(pair);
    const message = this.#messageOf({
      sid: sidOf('SM'),
      from: ours,
      to: phone,
      body: reply,
      numMedia: 0,
      direction: 'reply',
      status: 'queued',
    });
    this.#deliver(message);
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

const sidOf = (kind: 'SM' | 'MM') => kind + randomUUID().replaceAll('-', '');

const send = (reply: FastifyReply, error: ApiError) => reply.code(error.status).send(error);

const notFound = (request: FastifyRequest) => apiError(404, 20404, `The requested resource ${request.url} was not found`);

function append(index: Map<string, Message[]>, key: string, message: Message): number {
  const messages = index.get(key);
  if (messages) return messages.push(message);
  index.set(key, [message]);
  return 1;
}

function matchOf(body: string, matcher: RegExp | ((body: string) => boolean)): readonly string[] | undefined {
  if (typeof matcher === 'function') return matcher(body) ? [body] : undefined;
  const match = body.match(matcher);
  return match ? [...match] : undefined;
}

/** A filter is a day, or a moment with whole seconds; both ends are included. */
function sentWithin(sentAt: Date, query: ListQuery): boolean {
  const from = query['DateSent>'] ?? query.DateSent;
  const until = query['DateSent<'] ?? query.DateSent;
  if (from && sentAt.getTime() < Date.parse(from)) return false;
  return !until || sentAt.getTime() < Date.parse(until) + (until.length > 10 ? 1000 : 86_400_000);
}
