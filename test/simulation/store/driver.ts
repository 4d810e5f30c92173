import { createRequire } from 'node:module';
import mongoose from 'mongoose';
import { SimulatedClient, type SimulatedDb } from './client.ts';
import { type Endpoint, endpointOf } from './endpoints.ts';
import { UnknownToStore } from './values.ts';

/** What mongoose's connection has beside its types. */
interface Connection extends mongoose.Connection {
  _connectionString: string;
  _queue: { fn: () => void }[];
  _closeCalled: boolean;
  client: SimulatedClient;
  db: never;
  name: string;
  host: string;
  readyState: mongoose.ConnectionStates;
  onOpen(): void;
}

interface Collection {
  name: string;
  buffer: boolean;
  conn: SimulatedConnection;
  addQueue(run: () => void): void;
}

type Method = (this: Collection, ...args: unknown[]) => unknown;

interface Driver {
  Connection: abstract new (base: mongoose.Mongoose) => Connection;
  Collection: abstract new (name: string, connection: object, options: object) => Collection;
}

const native = createRequire(import.meta.url)('mongoose/lib/drivers/node-mongodb-native') as Driver;

/** mongoose's own, for what is asked before the first connection stands. */
const BUFFER_MS = 10_000;

/** How a connection must be set, since the store knows it no other way (libs/mongo/src/connection.ts). */
const FIXED: Record<string, string> = {
  writeConcern: '{"w":"majority","j":true}',
  readConcern: '{"level":"majority"}',
  retryWrites: 'true',
  useBigInt64: 'true',
  autoIndex: 'false',
  autoCreate: 'false',
};
/** What makes no difference here, or is looked at elsewhere. */
const FREE = new Set(['waitQueueTimeoutMS', 'serverSelectionTimeoutMS', 'socketTimeoutMS', 'connectTimeoutMS', 'maxPoolSize']);

/** A connection of mongoose's with the simulated store beneath it. Once it stands it stays: an outage shows in each operation. */
class SimulatedConnection extends native.Connection {
  #endpoint: Endpoint | undefined;

  async createClient(uri: string, options: Record<string, unknown> = {}): Promise<this> {
    const { hostname, pathname } = new URL(uri);
    const endpoint = endpointOf(hostname);
    if (!endpoint) throw new UnknownToStore(`the host of ${uri}`);
    this.#endpoint = endpoint;
    endpoint.held.add(this.#letGo);
    try {
      refuseOtherOptions(options);
    } catch (error) {
      // A service might try again for ever.
      endpoint.mongo.fail(error as Error);
      throw error;
    }
    this.readyState = mongoose.ConnectionStates.connecting;
    this._connectionString = uri;
    const { serverSelectionTimeoutMS = 30_000, socketTimeoutMS = Infinity } = options as { [name: string]: number };
    const client = new SimulatedClient(endpoint.mongo, endpoint.caller, pathname.slice(1), {
      serverSelectionTimeoutMS,
      socketTimeoutMS,
    });
    this.client = client;
    await client.connect();
    this.#set(client, pathname.slice(1), hostname);
    return this;
  }

  #set(client: SimulatedClient, name: string, host: string): void {
    const db: SimulatedDb = client.db();
    this.db = db as never;
    this.name = name;
    this.host = host;
    this._closeCalled = false;
    this.onOpen();
  }

  /** mongoose lists all connections of the process. */
  readonly #letGo = (): void => {
    const listed = this.base.connections as unknown[];
    if (listed.includes(this)) listed.splice(listed.indexOf(this), 1);
  };

  async doClose(): Promise<this> {
    await this.client?.close();
    return this;
  }

  /** As mongoose's own, but by the clock of the world. */
  async _waitForConnect(noTimeout = false): Promise<void> {
    const { connected } = mongoose.ConnectionStates;
    if (this.readyState === connected) return;
    const opened = new Promise<void>((resolve) => this._queue.push({ fn: resolve }));
    await (noTimeout ? opened : this.inTime(opened, 'Connection operation'));
  }

  async inTime(opened: Promise<void>, what: string): Promise<void> {
    const sleep = this.#endpoint?.caller.sleep(BUFFER_MS);
    const inTime = opened.then(() => true);
    if (await (sleep ? Promise.race([inTime, sleep.then(() => false)]) : inTime)) return;
    throw new mongoose.MongooseError(`${what} buffering timed out after ${BUFFER_MS}ms`);
  }
}

function refuseOtherOptions(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (FREE.has(name) || value === undefined) continue;
    const fixed = FIXED[name];
    if (fixed !== JSON.stringify(value)) throw new UnknownToStore(`${name} ${JSON.stringify(value)} of a connection`);
  }
  for (const name of Object.keys(FIXED)) if (!(name in options)) throw new UnknownToStore(`a connection without ${name}`);
}

/** mongoose's collection, which keeps no time of its own while it waits for the first connection. */
abstract class SimulatedNativeCollection extends native.Collection {}
for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(native.Collection.prototype))) {
  if (typeof value !== 'function' || !(name in mongoose.mongo.Collection.prototype) || name === 'constructor') continue;
  const method = value as Method;
  const whenOpen: Method = function (...args) {
    if (!this.buffer) return method.apply(this, args);
    const opened = new Promise<void>((resolve) => this.addQueue(resolve));
    return this.conn
      .inTime(opened, `Operation \`${this.name}.${name}()\``)
      .then(() => (this[name as never] as Method).apply(this, args));
  };
  Object.defineProperty(SimulatedNativeCollection.prototype, name, { value: whenOpen });
}

const simulated = new WeakSet<mongoose.Mongoose>();

/** Puts simulated stores beneath mongoose, for as long as the process lives: no connection of it reaches a real server any more. */
export function simulateMongo(base: mongoose.Mongoose = mongoose): void {
  if (simulated.has(base)) return;
  base.setDriver({ ...native, Connection: SimulatedConnection, Collection: SimulatedNativeCollection });
  simulated.add(base);
}
