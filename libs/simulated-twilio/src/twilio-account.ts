import { EventEmitter } from 'node:events';
import { type ApiError, apiError, plainApiError } from './api-error.ts';
import { inboundForm, type Message, type MessageStatus, resourceOf, segmentsOf, statusForm } from './message.ts';
import { MessageList } from './message-list.ts';
import { reservedWordOf } from './reserved-words.ts';

export interface TwilioAccountOptions {
  accountSid: string;
  /** The account's own numbers, E.164: texts to them go to the webhook. */
  numbers: readonly string[];
  /** Where incoming messages are posted: `PUBLIC_URL` and `/sms/inbound`. */
  webhookUrl: string;
  /** With it the numbers are the sender pool of a Messaging Service with Advanced Opt-Out: only then Twilio posts `OptOutType`. */
  messagingServiceSid?: string;
  /** Which statuses are called back; Twilio's own choice if absent. */
  callbackStatuses?: readonly MessageStatus[];
  /** How long a message stays `queued` before it is sent, and `sent` before its end is known, asked once each; 0 if absent. */
  delayMs?: number | ((message: Message, status: 'queued' | 'sent') => number);
  /** How long after its creation the list shows a message, asked once; 0 if absent. By its SID it is found at once. */
  listDelayMs?: (message: Message) => number;
}

/** What an account needs of the world around it. */
export interface TwilioWorld {
  clock: () => Date;
  /** Does `work` once, `delayMs` from now; also with 0 not at once. */
  later: (delayMs: number, work: () => void) => unknown;
  /** An id that no message has: the kind and 32 hexadecimal digits. */
  newSid: (kind: 'SM' | 'MM') => string;
  /** Signs a form and posts it: a webhook or a status callback. Resolves with the HTTP status, 0 for no answer; never rejects. */
  post: (url: string, form: Record<string, string>) => Promise<number>;
}

/** What becomes of one `POST Messages.json`. Only `ok` and `accept_and_drop_reply` take the message. */
export type CreateOutcome =
  'ok' | 'hang' | 'accept_and_drop_reply' | { status: number; body?: object; headers?: Record<string, string> };

/** A status callback on its way. */
export interface Callback {
  url: string;
  form: Record<string, string>;
}

/** One call of the REST API. The method in capitals, the path without the query, query and form in Twilio's own words. */
export interface ApiRequest {
  method: string;
  path: string;
  query?: Record<string, string>;
  form?: Record<string, string>;
}

/** What the caller gets. With `noReply` nothing: `hang` leaves it waiting, `accept_and_drop_reply` breaks its connection. */
export type ApiReply =
  | { status: number; body: object; headers?: Record<string, string>; noReply?: undefined }
  | { noReply: 'hang' | 'accept_and_drop_reply' };

/** What a phone sends. With the `messageSid` of an earlier one it is that one, posted again. */
export interface PhoneText {
  from: string;
  to: string;
  body: string;
  numMedia?: number;
  messageSid?: string;
}

interface CreateForm {
  To?: string;
  From?: string;
  MessagingServiceSid?: string;
  Body?: string;
  StatusCallback?: string;
  ValidityPeriod?: string;
}

const MESSAGES = /^\/2010-04-01\/Accounts\/([^/]+)\/Messages(?:\.json|\/([^/]+?)(?:\.json)?)$/;
const E164 = /^\+[1-9]\d{6,14}$/;
const BODY_MAX = 1600;
/** Twilio's default of `ValidityPeriod`, and its bound (twilio.com/docs/messaging/api/message-resource). */
const VALIDITY_S = 36_000;

/**
 * One Twilio account with its numbers, and the phones around it, in memory: the REST API of messages with Twilio's answers and error
 * codes, webhooks, status callbacks, reserved words. Time, ids and the way out come from the world; it has no I/O and no chance of its
 * own. It does not ask who calls: that is for whoever stands in front. Events: `text` when a text arrives at a phone, `status` at each
 * status of each message, the first included.
 */
export class TwilioAccount extends EventEmitter<{ text: [Message]; status: [Message] }> {
  /** Phones that nothing reaches: texts to them end `undelivered`, error 30003. */
  readonly unreachable = new Set<string>();
  /** Decides what becomes of a create call that is valid. */
  onCreate: ((message: { to: string; from: string; body: string }) => CreateOutcome) | undefined;
  /** Says whether a callback is posted. */
  onCallback: ((callback: Callback) => boolean) | undefined;

  readonly #options: TwilioAccountOptions;
  readonly #world: TwilioWorld;
  readonly #callbackStatuses: ReadonlySet<MessageStatus>;
  readonly #messages: MessageList;
  readonly #texts = new Map<string, Message[]>();
  /** `<number of ours> <phone>` */
  readonly #optedOut = new Set<string>();

  constructor(options: TwilioAccountOptions, world: TwilioWorld) {
    super();
    this.#options = options;
    this.#world = world;
    this.#callbackStatuses = new Set(options.callbackStatuses ?? ['sent', 'delivered', 'undelivered', 'failed']);
    this.#messages = new MessageList(options.accountSid);
  }

  /** Creates a message, lists them or fetches one, as Twilio's REST API answers it; anything else is a 404. */
  request({ method, path, query = {}, form = {} }: ApiRequest): ApiReply {
    const [, accountSid, sid] = MESSAGES.exec(path) ?? [];
    if (accountSid === this.#options.accountSid) {
      if (method === 'POST' && !sid) return this.#create(form);
      if (method === 'GET' && !sid) return { status: 200, body: this.#messages.page(path, query, this.#world.clock()) };
      const message = method === 'GET' && sid ? this.#messages.get(sid) : undefined;
      if (message) return { status: 200, body: resourceOf(message, accountSid) };
    }
    return errorReply(apiError(404, 20404, `The requested resource ${path} was not found`));
  }

  /**
   * A phone sends a text to one of our numbers. Resolves with the HTTP status of the webhook, 0 if it gave none: then the message is in
   * Twilio's list and nowhere else. With a `messageSid` that was used before, the webhook of that message is posted again; a reserved
   * word in it counts once.
   */
  async sendFromPhone(sms: PhoneText): Promise<{ sid: string; status: number }> {
    if (!this.#options.numbers.includes(sms.to))
      throw new Error(`${sms.to} is none of the numbers ${this.#options.numbers.join(', ')}`);
    const known = sms.messageSid ? this.#messages.get(sms.messageSid) : undefined;
    const message = known ?? this.#receive(sms);
    const optOutType = this.#options.messagingServiceSid ? reservedWordOf(message.body)?.type : undefined;
    const status = await this.#world.post(this.#options.webhookUrl, inboundForm(message, this.#options.accountSid, optOutType));
    if (status < 200 || status > 299) message.errorCode = 11200;
    this.#move(message, 'received');
    return { sid: message.sid, status };
  }

  /** All that arrived at a phone, in order. */
  textsTo(number: string): readonly Message[] {
    return this.#texts.get(number) ?? [];
  }

  #create(form: CreateForm): ApiReply {
    const from = form.From ?? (form.MessagingServiceSid ? this.#senderFor(form.MessagingServiceSid) : undefined);
    const error = this.#refusalOf(form, from);
    if (error) return errorReply(error);
    const sms = { to: form.To ?? '', from: from ?? '', body: form.Body ?? '' };

    const outcome = this.onCreate?.(sms) ?? 'ok';
    if (typeof outcome === 'object') return { ...outcome, body: outcome.body ?? plainApiError(outcome.status) };
    if (outcome === 'hang') return { noReply: outcome };

    const message = this.#messageOf({
      ...sms,
      sid: this.#world.newSid('SM'),
      numMedia: 0,
      direction: 'outbound-api',
      status: 'queued',
      ...(form.StatusCallback ? { statusCallback: form.StatusCallback } : {}),
    });
    this.#keep(message);
    this.#deliver(message, Number(form.ValidityPeriod || VALIDITY_S));
    if (outcome === 'accept_and_drop_reply') return { noReply: outcome };
    return { status: 201, body: resourceOf(message, this.#options.accountSid) };
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

  #receive({ from, to, body, numMedia = 0, messageSid }: PhoneText): Message {
    const sid = messageSid ?? this.#world.newSid(numMedia > 0 ? 'MM' : 'SM');
    const message = this.#messageOf({ sid, from, to, body, numMedia, direction: 'inbound', status: 'receiving' });
    this.#keep(message);
    const word = reservedWordOf(message.body);
    if (word) this.#obey(message, word.type, word.reply);
    return message;
  }

  /** An opted-out phone hears nothing, not even an answer to HELP; a word that changes nothing is not answered either. */
  #obey({ from: phone, to: ours }: Message, type: 'STOP' | 'START' | 'HELP', reply: string): void {
    const pair = `${ours} ${phone}`;
    const optedOut = this.#optedOut.has(pair);
    if (type === 'START' ? !optedOut : optedOut) return;
    if (type === 'STOP') this.#optedOut.add(pair);
    if (type === 'START') this.#optedOut.delete(pair);
    const message = this.#messageOf({
      sid: this.#world.newSid('SM'),
      from: ours,
      to: phone,
      body: reply,
      numMedia: 0,
      direction: 'reply',
      status: 'queued',
    });
    this.#deliver(message);
  }

  #messageOf(
    sms: Pick<Message, 'sid' | 'from' | 'to' | 'body' | 'numMedia' | 'direction' | 'status' | 'statusCallback'>,
  ): Message {
    const now = this.#world.clock();
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
    this.#messages.add(message, this.#options.listDelayMs?.(message) ?? 0);
    this.emit('status', message);
  }

  #deliver(message: Message, validitySeconds = VALIDITY_S): void {
    const queuedMs = this.#delayOf(message, 'queued');
    if (queuedMs > validitySeconds * 1000) {
      // twilio.com/docs/api/errors/30036: what waited longer is not sent, so it is `failed` and not `undelivered`.
      this.#world.later(validitySeconds * 1000, () => this.#fail(message, 'failed', 30036));
      return;
    }
    this.#world.later(queuedMs, () => {
      this.#move(message, 'sending');
      message.sentAt = this.#world.clock();
      this.#move(message, 'sent');
      this.#world.later(this.#delayOf(message, 'sent'), () => {
        if (this.unreachable.has(message.to)) this.#fail(message, 'undelivered', 30003);
        else this.#arrive(message);
      });
    });
  }

  #delayOf(message: Message, status: 'queued' | 'sent'): number {
    const { delayMs = 0 } = this.#options;
    return typeof delayMs === 'number' ? delayMs : delayMs(message, status);
  }

  #fail(message: Message, status: 'failed' | 'undelivered', errorCode: number): void {
    message.errorCode = errorCode;
    this.#move(message, status);
  }

  #arrive(message: Message): void {
    this.#move(message, 'delivered');
    const texts = this.#texts.get(message.to);
    if (texts) texts.push(message);
    else this.#texts.set(message.to, [message]);
    this.emit('text', message);
  }

  #move(message: Message, status: MessageStatus): void {
    message.status = status;
    message.updatedAt = this.#world.clock();
    this.emit('status', message);
    if (!message.statusCallback || !this.#callbackStatuses.has(status)) return;
    const callback = { url: message.statusCallback, form: statusForm(message, this.#options.accountSid) };
    if (this.onCallback?.(callback) ?? true) void this.#world.post(callback.url, callback.form);
  }
}

const errorReply = (error: ApiError): ApiReply => ({ status: error.status, body: error });
