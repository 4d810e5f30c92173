import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { type Message, SimulatedTwilio } from '#libs/simulated-twilio';
import type { FastifyReply } from 'fastify';
import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { z } from 'zod';
import { hopsOf, TraceExport } from './hops.ts';
import { LedgerReader } from './ledger-reader.ts';
import { newsOf } from './ledger-view.ts';
import type { Health, Hop } from './live.ts';
import { Pages } from './pages.ts';
import { Phones } from './phones.ts';
import type { Settings } from './settings.ts';
import { Webhooks } from './webhooks.ts';

/** A look at the ledger and the gateway: this often while something happens, else slower; never with no page open. */
const LIVELY_MS = 500;
const QUIET_MS = 3_000;
const LIVELY_FOR_MS = 15_000;
const GATEWAY_TIMEOUT_MS = 2_000;
const HOPS_KEPT = 200;
const TRACE_BYTES_MAX = 8 * 1024 * 1024;

const NewPhone = z.object({
  name: z.string().trim().min(1, 'Give the phone a name.').max(40, 'A name has at most 40 characters.'),
  number: z.string(),
});
const NewText = z.object({ from: z.string(), body: z.string().max(1600, 'A text has at most 1,600 characters.') });

/** The built page: this file runs from the sources and from `dist` alike. */
const WEB = join(import.meta.dirname, import.meta.url.endsWith('.ts') ? '../../../dist/tools/simulator/web' : '../web');

/** Twilio, the phones and their page in one server. */
export class Simulator {
  readonly #settings: Settings;
  readonly #twilio: SimulatedTwilio;
  readonly #phones: Phones;
  readonly #ledger: LedgerReader;
  readonly #pages = new Pages();
  readonly #webhooks = new Webhooks();
  #hops: Hop[] = [];
  #health: Health = {};
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookedAt = 0;
  #livelyUntil = 0;

  constructor(settings: Settings) {
    if (!existsSync(join(WEB, 'index.html')))
      throw new Error(`the page is not built: ${WEB} has no index.html, run npm run build`);
    this.#settings = settings;
    this.#phones = new Phones(settings.DATA_DIR);
    this.#ledger = new LedgerReader(settings);
    this.#twilio = new SimulatedTwilio({
      accountSid: settings.TWILIO_ACCOUNT_SID,
      authToken: settings.TWILIO_AUTH_TOKEN,
      numbers: settings.SMS_NUMBERS,
      webhookUrl: `${settings.PUBLIC_URL}/sms/inbound`,
      host: settings.HOST,
      port: settings.PORT,
    });
    this.#twilio.on('status', (message) => this.#show(message));
    this.#twilio.on('webhook', (posted) => this.#webhooks.add(posted));
    this.#addRoutes();
  }

  /** Resolves with the address of the page. */
  async listen(): Promise<string> {
    const address = await this.#twilio.listen();
    this.#ledger.open();
    this.#timer = setInterval(() => this.#tick(), LIVELY_MS);
    return address;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#pages.close();
    await this.#twilio.close();
    await this.#ledger.close();
    await this.#looking;
  }

  #addRoutes(): void {
    const { http } = this.#twilio;
    http.register(fastifyStatic, { root: WEB });
    http.get('/health/ready', async () => ({ status: 'ok' }));
    http.get('/events', (_request, reply) => this.#open(reply));
    http.get('/webhooks', async () => this.#webhooks.all);
    http.post('/phones', (request, reply) => this.#addPhone(request.body, reply));
    http.post('/texts', (request, reply) => this.#send(request.body, reply));
    http.post('/v1/traces', { bodyLimit: TRACE_BYTES_MAX }, (request, reply) => this.#takeSpans(request.body, reply));
  }

  #open(reply: FastifyReply): void {
    const ledger = this.#ledger.all;
    this.#pages.add(reply, {
      type: 'all',
      serviceNumber: this.#serviceNumber,
      phones: this.#phones.all(),
      texts: this.#phones.texts(),
      hops: this.#hops,
      ledger: newsOf(ledger, ledger.entries),
      health: this.#health,
    });
    this.#somethingHappens();
  }

  #addPhone(body: unknown, reply: FastifyReply): FastifyReply {
    const { data, error } = NewPhone.safeParse(body);
    if (error) return refuse(reply, error.issues[0]?.message);
    const parsed = parsePhoneNumberFromString(data.number, 'KE');
    if (!parsed?.isValid())
      return refuse(reply, `${data.number || 'Nothing'} is not a phone number. One of Kenya looks like 0712 345 678.`);
    if (this.#phones.has(parsed.number)) return refuse(reply, `${data.number} has a phone already.`);
    const phone = { name: data.name, number: parsed.number };
    this.#phones.add(phone);
    this.#pages.tell({ type: 'phone', phone });
    return reply.code(201).send(phone);
  }

  #send(body: unknown, reply: FastifyReply): FastifyReply {
    const { data, error } = NewText.safeParse(body);
    if (error) return refuse(reply, error.issues[0]?.message);
    if (!this.#phones.has(data.from)) return refuse(reply, `${data.from} has no phone here.`);
    // Not awaited: the phone shows what becomes of it.
    const sid = `SM${randomUUID().replaceAll('-', '')}`;
    void this.#twilio.sendFromPhone({ ...data, to: this.#serviceNumber, messageSid: sid });
    return reply.code(202).send({ sid });
  }

  #takeSpans(body: unknown, reply: FastifyReply): FastifyReply {
    const { data, error } = TraceExport.safeParse(body);
    if (error) return refuse(reply, `not an OTLP trace export: ${z.prettifyError(error)}`);
    const hops = hopsOf(data);
    this.#hops = [...this.#hops, ...hops].slice(-HOPS_KEPT);
    if (hops.length > 0) this.#pages.tell({ type: 'hops', hops });
    return reply.send({});
  }

  get #serviceNumber(): string {
    return this.#settings.SMS_NUMBERS[0] ?? '';
  }

  #show(message: Message): void {
    const text = this.#phones.show(message);
    if (text) this.#pages.tell({ type: 'text', text });
    this.#somethingHappens();
  }

  #somethingHappens(): void {
    this.#livelyUntil = Date.now() + LIVELY_FOR_MS;
  }

  #tick(): void {
    const due = Date.now() < this.#livelyUntil || Date.now() - this.#lookedAt > QUIET_MS;
    if (!due || !this.#pages.areOpen) return;
    this.#looking ??= this.#look().finally(() => {
      this.#lookedAt = Date.now();
      this.#looking = undefined;
    });
  }

  async #look(): Promise<void> {
    const [gateway, ledger] = await Promise.all([this.#gatewayProblem(), this.#ledgerProblem()]);
    const health = { ...(gateway ? { gateway } : {}), ...(ledger ? { ledger } : {}) };
    if (JSON.stringify(health) === JSON.stringify(this.#health)) return;
    this.#health = health;
    this.#pages.tell({ type: 'health', health });
  }

  async #gatewayProblem(): Promise<string | undefined> {
    const url = `${this.#settings.PUBLIC_URL}/health/ready`;
    try {
      const { status } = await fetch(url, { signal: AbortSignal.timeout(GATEWAY_TIMEOUT_MS) });
      return status === 200
        ? undefined
        : `The sms-gateway is not ready: ${url} answers ${status}. Its log says why; texts wait until it is.`;
    } catch {
      return `The sms-gateway does not answer at ${this.#settings.PUBLIC_URL}. Start it with npm start; texts sent meanwhile do not reach it.`;
    }
  }

  async #ledgerProblem(): Promise<string | undefined> {
    try {
      const fresh = await this.#ledger.read();
      if (fresh.entries.length > 0) this.#pages.tell({ type: 'ledger', ledger: newsOf(fresh, this.#ledger.all.entries) });
      return undefined;
    } catch (error) {
      return `${(error as Error).message} What is shown of the ledger may be old; it goes on by itself when that is back.`;
    }
  }
}

const refuse = (reply: FastifyReply, problem = 'That cannot be.') => reply.code(400).send({ problem });
