import { readFileSync } from 'node:fs';
import { type Asker, inboxPrefix } from '#libs/contracts';
import { log } from '#libs/process';
import { connect, Events, type NatsConnection, nkeyAuthenticator } from 'nats';

/** Where NATS is and who we are there. */
export interface NatsSettings {
  NATS_URL: string;
  NATS_CREDS?: string | undefined;
}

/** This process's connection to NATS. It comes when NATS does and reconnects for ever; one that closes for good ends the process. */
export class NatsLink {
  readonly #name: Asker;
  readonly #settings: NatsSettings;
  #connection: NatsConnection | undefined;
  #connected = false;
  #closing = false;
  #opened: Promise<NatsConnection> | undefined;

  constructor(name: Asker, settings: NatsSettings) {
    this.#name = name;
    this.#settings = settings;
  }

  /** Begins to connect. The promise is fulfilled at the first connection, however long NATS is away. */
  open(): Promise<NatsConnection> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #open(): Promise<NatsConnection> {
    const { NATS_URL, NATS_CREDS } = this.#settings;
    const connection = await connect({
      servers: NATS_URL.split(','),
      name: this.#name,
      inboxPrefix: inboxPrefix(this.#name),
      maxReconnectAttempts: -1,
      // An address that swallows what is sent to it must not hold up the next one.
      timeout: 2_000,
      reconnectTimeWait: 250,
      reconnectJitter: 250,
      waitOnFirstConnect: true,
      // A NATS that vanished without a word is noticed within this.
      pingInterval: 5_000,
      maxPingOut: 2,
      ...(NATS_CREDS
        ? { authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(NATS_CREDS, 'utf8').trim())) }
        : {}),
    });
    this.#connection = connection;
    this.#connected = true;
    void this.#watch(connection);
    return connection;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    void connection.closed().then((error) => {
      this.#connected = false;
      if (this.#closing) return;
      log.fatal({ err: error ?? undefined }, 'the connection to NATS closed for good');
      process.exit(1);
    });
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect) this.#connected = false;
      if (status.type === Events.Reconnect) this.#connected = true;
      if (status.type === Events.Disconnect || status.type === Events.Reconnect) log.warn({ event: status.type }, 'NATS');
      if (status.type === Events.Error)
        log.error({ error: String(status.data), permission: status.permissionContext }, 'NATS refused something');
    }
  }

  /** The connection while it stands; undefined while NATS is away. */
  get connection(): NatsConnection | undefined {
    return this.#connected ? this.#connection : undefined;
  }

  /** Sends what is buffered and closes. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#connected) await this.#connection?.flush().catch(() => undefined);
    await this.#connection?.close();
  }
}
