import { readFileSync } from 'node:fs';
import { type Asker, inboxPrefix } from '#libs/contracts';
import { log, realHost } from '#libs/runtime';
import { connect, type ConnectionOptions, headers, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import { Bus, type BusRequest, type BusSubscription } from './bus.ts';

/** Where NATS is, who we are there, and who vouches for it. */
export interface NatsSettings {
  NATS_URL: string;
  NATS_CREDS?: string | undefined;
  NATS_CA?: string | undefined;
}

/** How `name` connects: with its credential, and over TLS alone where there is a CA. */
export function natsOptions(name: Asker, { NATS_URL, NATS_CREDS, NATS_CA }: NatsSettings): ConnectionOptions {
  return {
    servers: NATS_URL.split(','),
    name,
    inboxPrefix: inboxPrefix(name),
    ...(NATS_CREDS
      ? { authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(NATS_CREDS, 'utf8').trim())) }
      : {}),
    // A file: the client reads it again for each connection, so a new CA needs no restart.
    ...(NATS_CA ? { tls: { caFile: NATS_CA } } : {}),
  };
}

const RETRY_MS = 500;
/** NATS counts the headers too. */
const HEADERS_MAX_BYTES = 1_024;
/** What a NATS server takes unless its configuration says otherwise (docs.nats.io, "max_payload"). */
const PAYLOAD_MAX_BYTES = 1_048_576;
const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** This process's connection to NATS. It comes when NATS does and reconnects for ever; one that closes for good ends the process. */
export class NatsLink extends Bus {
  readonly #name: Asker;
  readonly #settings: NatsSettings;
  #connection: NatsConnection | undefined;
  #connected = false;
  #closing = false;
  #opened: Promise<NatsConnection> | undefined;

  constructor(name: Asker, settings: NatsSettings) {
    super();
    this.#name = name;
    this.#settings = settings;
  }

  override async open(): Promise<void> {
    this.#opened ??= this.#open();
    await this.#opened;
  }

  async #open(): Promise<NatsConnection> {
    const connection = await this.#connect();
    if (this.#closing) await connection.close();
    this.#connection = connection;
    this.#connected = true;
    void this.#watch(connection);
    return connection;
  }

  /** Tries until NATS takes us; says why it does not, each reason once. */
  async #connect(): Promise<NatsConnection> {
    for (let said = ''; !this.#closing; await realHost.sleep(RETRY_MS)) {
      try {
        return await connect({
          ...natsOptions(this.#name, this.#settings),
          maxReconnectAttempts: -1,
          // An address that swallows what is sent to it must not hold up the next one.
          timeout: 2_000,
          reconnectTimeWait: 250,
          reconnectJitter: 250,
          // A NATS that vanished without a word is noticed within this.
          pingInterval: 5_000,
          maxPingOut: 2,
        });
      } catch (error) {
        const reason = (error as Error).message;
        if (reason !== said) log.warn({ reason, url: this.#settings.NATS_URL }, 'NATS does not take us; trying again');
        said = reason;
      }
    }
    // Closed while it waited: nobody waits any more.
    return new Promise(() => undefined);
  }

  async #watch(connection: NatsConnection): Promise<void> {
    void connection.closed().then((error) => {
      this.#connected = false;
      if (this.#closing) return;
      log.fatal({ err: error ?? undefined }, 'the connection to NATS closed for good');
      process.exit(1);
    });
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#connected = false;
      if (status.type === 'reconnect') this.#connected = true;
      if (status.type === 'disconnect' || status.type === 'reconnect') log.warn({ event: status.type }, 'NATS');
      if (status.type === 'error') log.error({ err: status.error }, 'NATS refused something');
    }
  }

  /** The connection while it stands; undefined while NATS is away. */
  get connection(): NatsConnection | undefined {
    return this.#connected ? this.#connection : undefined;
  }

  override get connected(): boolean {
    return this.connection !== undefined;
  }

  override get maxBytes(): number {
    return (this.#connection?.info?.max_payload ?? PAYLOAD_MAX_BYTES) - HEADERS_MAX_BYTES;
  }

  override async request(
    subject: string,
    body: string,
    { timeoutMs, headers: given }: { timeoutMs: number; headers: Readonly<Record<string, string>> },
  ): Promise<string> {
    const connection = this.connection;
    if (!connection) throw new Error('not connected to NATS');
    const sent = headers();
    for (const [name, value] of Object.entries(given)) sent.set(name, value);
    const reply = await connection.request(subject, text.encoder.encode(body), { timeout: timeoutMs, headers: sent });
    return text.decoder.decode(reply.data);
  }

  /** Made again at each reconnect by the client. */
  override subscribe(subject: string, queue: string, take: (request: BusRequest) => void): BusSubscription {
    if (!this.#connection) throw new Error('subscribe only after open()');
    return this.#connection.subscribe(subject, {
      queue,
      callback: (error, message) => {
        if (error) return log.error({ err: error, subject }, 'NATS subscription');
        return take({
          subject,
          body: text.decoder.decode(message.data),
          headers: Object.fromEntries([...(message.headers ?? [])].map(([name, [value = '']]) => [name, value])),
          respond: (answer) => void message.respond(text.encoder.encode(answer)),
        });
      },
    });
  }

  override async close(): Promise<void> {
    this.#closing = true;
    if (this.#connected) await this.#connection?.flush().catch(() => undefined);
    await this.#connection?.close();
  }
}
