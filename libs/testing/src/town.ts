import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Asker,
  FundWallet,
  type MinorUnits,
  type ResponseOf,
  type Msisdn,
  parseAmount,
  type Cause,
  type Currency,
  type TransferId,
} from '#libs/contracts';
import { NatsLink, RpcClient } from '#libs/messaging';
import { connectionOptions } from '#libs/mongo';
import { Metrics, realHost } from '#libs/runtime';
import {
  DATABASES,
  developmentSecrets,
  type DevelopmentSecrets,
  developmentSettings,
  type MongoServer,
  natsCredentials,
  type NatsServer,
  type NatsUser,
  startMongo,
  startNats,
} from '#libs/dev-servers';
import { SimulatedTwilio } from '#libs/simulated-twilio';
import getPort from 'get-port';
import { mongo as driver } from 'mongoose';
import twilio from 'twilio';
import { Balancer } from './balancer.ts';
import { checkInvariants, keysOf } from './invariants.ts';
import { LossyMongo } from './lossy-mongo.ts';
import { LossyNats } from './lossy-nats.ts';
import { Phone } from './phone.ts';
import { type ServiceName, SERVICES, ServiceProcess } from './service-process.ts';

export { DATABASES };

/** An inbound SMS as a form post of Twilio's. */
export type Webhook = Record<string, string> & { MessageSid: string };

export interface TownOptions {
  /** Processes of each service; one if absent. */
  processes?: Partial<Record<ServiceName, number>>;
  /** More settings, for all services. */
  env?: Record<string, string>;
  /** Messages between services and NATS are lost at random: which part of them, and by which seed. */
  natsLoss?: { part: number; seed: number };
  /** Replies of the database to writes are lost at random. */
  mongoLoss?: { part: number; seed: number };
}

const FUND_AGAIN = 5;
/** A reply that is lost on the way (F3, F10) costs a lease of up to 10 s. */
const JOIN_MS = 60_000;

/** Names get numbers of their own, in the order of their coming. */
const FIRST_NUMBER = 254_712_000_001n;

/** All of smspay as processes of its own, on real servers and free ports, with a Twilio and phones to play with. */
export class Town {
  readonly number = '+254700000001';
  readonly twilio: SimulatedTwilio;
  readonly publicUrl: string;
  mongo: MongoServer;
  nats: NatsServer;
  lossyNats: LossyNats | undefined;
  lossyMongo: LossyMongo | undefined;
  #balancer: Balancer | undefined;
  readonly secrets: DevelopmentSecrets;
  readonly processes: ServiceProcess[] = [];
  readonly client: driver.MongoClient;
  /** Every SMS that was answered 2xx. */
  readonly taken = new Set<string>();
  /** What people sent and read, in order, for docs/conversations.md. */
  readonly conversation: { who: string; direction: 'sends' | 'receives'; body: string }[] = [];
  readonly #dir: string;
  readonly #users: NatsUser[];
  readonly #admin: NatsLink;
  readonly #leaving = new Set<ServiceProcess>();
  #people = 0n;
  #funded = 0;

  private constructor(parts: {
    twilio: SimulatedTwilio;
    publicUrl: string;
    mongo: MongoServer;
    nats: NatsServer;
    secrets: DevelopmentSecrets;
    dir: string;
    users: NatsUser[];
    admin: NatsLink;
    client: driver.MongoClient;
  }) {
    this.twilio = parts.twilio;
    this.publicUrl = parts.publicUrl;
    this.mongo = parts.mongo;
    this.nats = parts.nats;
    this.secrets = parts.secrets;
    this.#dir = parts.dir;
    this.#users = parts.users;
    this.#admin = parts.admin;
    this.client = parts.client;
  }

  static async open({ processes = {}, env = {}, natsLoss, mongoLoss }: TownOptions = {}): Promise<Town> {
    const dir = await mkdtemp(join(tmpdir(), 'smspay-town-'));
    const secrets = developmentSecrets(dir);
    const { users, seedFiles }: { users: NatsUser[]; seedFiles: Record<Asker, string> } = await natsCredentials(dir);
    const [mongo, nats] = await Promise.all([
      startMongo({ dataDir: join(dir, 'mongo') }),
      startNats({ users, dataDir: join(dir, 'nats') }),
    ]);
    const gatewayPorts = await Promise.all(Array.from({ length: processes['sms-gateway'] ?? 1 }, () => getPort()));
    const publicPort = await getPort();
    const publicUrl = `http://127.0.0.1:${publicPort}`;
    const twilio = new SimulatedTwilio({
      accountSid: secrets.TWILIO_ACCOUNT_SID,
      authToken: secrets.TWILIO_AUTH_TOKEN,
      numbers: ['+254700000001'],
      webhookUrl: `${publicUrl}/sms/inbound`,
    });
    await twilio.listen();
    const admin = new NatsLink('admin', { NATS_URL: nats.url, NATS_CREDS: seedFiles.admin });
    const client = new driver.MongoClient(mongo.uri('admin'), {
      writeConcern: connectionOptions.writeConcern,
      readConcern: connectionOptions.readConcern,
      useBigInt64: true,
    });
    const town = new Town({ twilio, publicUrl, mongo, nats, secrets, dir, users, admin, client });
    town.#balancer = await Balancer.start(publicPort, () =>
      town
        .of('sms-gateway')
        .filter((gateway) => !town.#leaving.has(gateway))
        .map(({ port }) => port),
    );
    if (mongoLoss) town.lossyMongo = await LossyMongo.start(mongo.port, mongoLoss.part, mongoLoss.seed);
    const servicesMongo = {
      uri: (database: string) => mongo.uri(database).replace(`:${mongo.port}/`, `:${town.lossyMongo?.port ?? mongo.port}/`),
    };
    if (natsLoss) town.lossyNats = await LossyNats.start(nats.port, natsLoss.part, natsLoss.seed);
    try {
      await Promise.all([admin.open(), client.connect()]);
      for (const service of SERVICES) {
        for (let index = 0; index < (processes[service] ?? 1); index++) {
          const port = service === 'sms-gateway' ? (gatewayPorts[index] ?? 0) : await getPort();
          const ports = { 'sms-gateway': port, transactions: port, wallet: port, notifications: port, simulator: 0 };
          const settings = developmentSettings(service, { ports, mongo: servicesMongo, nats, seedFiles, secrets });
          delete settings['OTEL_EXPORTER_OTLP_ENDPOINT'];
          town.processes.push(
            new ServiceProcess(service, {
              ...settings,
              PUBLIC_URL: publicUrl,
              TWILIO_API_URL: twilio.url,
              WELCOME_CREDIT: '0',
              ...(town.lossyNats ? { NATS_URL: town.lossyNats.url } : {}),
              ...env,
            }),
          );
        }
      }
      await Promise.all(town.processes.map((process) => process.start()));
    } catch (error) {
      await town.close();
      throw error;
    }
    return town;
  }

  /** The processes of one service. */
  of(service: ServiceName): ServiceProcess[] {
    return this.processes.filter((process) => process.service === service);
  }

  db(service: keyof typeof DATABASES): driver.Db {
    return this.client.db(DATABASES[service]);
  }

  /** `kill -9` of the database; `bringBackMongo` starts it on the same data. */
  async killMongo(): Promise<void> {
    await this.mongo.kill();
  }

  async bringBackMongo(): Promise<void> {
    this.mongo = await startMongo({ dataDir: join(this.#dir, 'mongo'), port: this.mongo.port });
  }

  /** `kill -9` of NATS. */
  async killNats(): Promise<void> {
    await this.nats.kill();
  }

  async bringBackNats(): Promise<void> {
    this.nats = await startNats({ users: this.#users, dataDir: join(this.#dir, 'nats'), port: this.nats.port });
  }

  /** Asks as an operator. */
  get operator(): RpcClient {
    return new RpcClient(this.#admin, realHost, new Metrics(realHost));
  }

  /** A phone without a wallet. */
  phone(name: string, number = `+${FIRST_NUMBER + this.#people++ * 1_111n}`): Phone {
    return new Phone(this, name, number);
  }

  /** A person who opens a wallet and has `balance` in it, given from the treasury. */
  async joins({ name, balance = '0.00' }: { name: string; balance?: string }): Promise<Phone> {
    const phone = this.phone(name);
    await phone.sends(`JOIN ${name}`);
    await phone.receives(/^Welcome/, JOIN_MS);
    // How one joins is a conversation of its own.
    this.conversation.splice(-2);
    await this.fund(phone, balance);
    return phone;
  }

  /** The form that Twilio would post for a text of this phone: of a new SMS each time. */
  webhook(phone: Phone, body: string): Webhook {
    const sid = `SM${randomUUID().replaceAll('-', '')}`;
    return {
      MessageSid: sid,
      SmsSid: sid,
      AccountSid: this.secrets.TWILIO_ACCOUNT_SID,
      From: phone.number,
      To: this.number,
      Body: body,
      NumMedia: '0',
    };
  }

  /** Posts a webhook to one gateway, the first if none is named, signed over the public URL as Twilio does. Resolves with the status. */
  async posts(webhook: Webhook, gateway = this.of('sms-gateway')[0]): Promise<number> {
    const signature = twilio.getExpectedTwilioSignature(this.secrets.TWILIO_AUTH_TOKEN, `${this.publicUrl}/sms/inbound`, webhook);
    const response = await fetch(`http://127.0.0.1:${gateway?.port}/sms/inbound`, {
      method: 'POST',
      headers: { 'X-Twilio-Signature': signature },
      body: new URLSearchParams(webhook),
    });
    if (response.ok) this.taken.add(webhook.MessageSid);
    return response.status;
  }

  async fund(phone: Phone, balance: string): Promise<void> {
    const amount = parseAmount(balance, 'KES' as Currency) as MinorUnits;
    if (amount === 0n) return;
    const id = `town-${++this.#funded}`;
    const request = {
      transferId: `fund:${id}` as TransferId,
      number: phone.number as Msisdn,
      amount,
      memo: 'test',
      cause: `operator:${id}` as Cause,
    };
    // The reply can be lost (F3): the id makes it safe to ask again.
    const ask = (again: number): Promise<ResponseOf<typeof FundWallet>> =>
      this.operator.ask(FundWallet, request).catch((error: unknown) => {
        if (again === 0) throw error;
        return ask(again - 1);
      });
    const answer = await ask(FUND_AGAIN);
    if (answer.result !== 'made') throw new Error(`could not fund ${phone.number}: ${answer.result}`);
  }

  /** I1–I7, once nothing is under way. */
  checkInvariants(timeoutMs = 60_000): Promise<void> {
    const textsTo = (number: string) => this.twilio.textsTo(number).filter((message) => message.direction !== 'reply');
    const ledgerKeys = keysOf(readFileSync(this.secrets.LEDGER_KEY, 'utf8'));
    return checkInvariants({ db: (service) => this.db(service), ledgerKeys, taken: this.taken, textsTo }, timeoutMs);
  }

  /** Stops a process as Kubernetes does: it gets no new connection any more, then SIGTERM. And starts it again. */
  async rolls(process: ServiceProcess): Promise<void> {
    this.#leaving.add(process);
    await process.stop();
    await process.start();
    this.#leaving.delete(process);
  }

  /** Ends all, and leaves nothing behind. A clean stop is a test of its own. */
  async close(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill()));
    await this.twilio.close();
    await this.#admin.close();
    await this.#balancer?.stop();
    await this.lossyNats?.stop();
    await this.lossyMongo?.stop();
    await this.client.close();
    await this.nats.stop();
    await this.mongo.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
