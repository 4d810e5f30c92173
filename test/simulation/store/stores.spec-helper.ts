import { createRequire } from 'node:module';
import { connectionOptions } from '#libs/mongo';
import { startMongo } from '#libs/dev-servers';
import mongoose, { type Connection, type ConnectOptions, mongo } from 'mongoose';
import type { Caller } from '../caller.ts';
import { Chance } from '../chance.ts';
import { Scheduler } from '../scheduler.ts';
import { SimulatedMongo } from './simulated-mongo.ts';

/** Of what kind a store is. The stand-in is where no MongoDB is to be had; what it does otherwise is named where it matters. */
export type Kind = 'simulated' | 'MongoDB' | 'SecantusDB';

/** A store as code that runs on it sees it. */
export interface Store {
  kind: Kind;
  /** Of the server, if it is one. */
  port: number;
  connect(database: string, options?: ConnectOptions): Promise<Connection>;
  /** Lets work come to its end, by the clock that the store goes by. */
  run<T>(work: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

const START_MS = Date.UTC(2026, 0, 31);
const WAY_MS = 0.3;
/** Longer than anything that is waited for. */
const PATIENCE_MS = 600_000;

/** A caller that only takes its time on the way, and writes down what it asks. */
export class PlainCaller implements Caller {
  readonly asked: string[] = [];
  /** Called with each thing before it is asked. */
  onCall: (what: string) => void = () => undefined;
  readonly name: string;
  readonly #scheduler: Scheduler;

  constructor(name: string, scheduler: Scheduler) {
    this.name = name;
    this.#scheduler = scheduler;
  }

  call: Caller['call'] = (what, serve) =>
    new Promise((resolve, reject) => {
      this.asked.push(what);
      this.onCall(what);
      this.#scheduler.after(WAY_MS, () =>
        serve((outcome) =>
          this.#scheduler.after(WAY_MS, () => ('value' in outcome ? resolve(outcome.value) : reject(outcome.error))),
        ),
      );
    });

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#scheduler.after(ms, resolve));
  }
}

/** A small world with nothing in it but a store and who asks it. */
export class StoreWorld {
  readonly scheduler = new Scheduler(START_MS);
  readonly mongo: SimulatedMongo;
  readonly callers: PlainCaller[] = [];
  #isRunning = false;

  constructor(seed = 1) {
    this.mongo = new SimulatedMongo({ scheduler: this.scheduler, chance: new Chance(seed) });
  }

  /** The connection of a process of its own. */
  async connect(database: string, name = `client-${this.callers.length + 1}`, options: ConnectOptions = {}): Promise<Connection> {
    const caller = new PlainCaller(name, this.scheduler);
    this.callers.push(caller);
    const host = this.mongo.register(`${name}-${this.callers.length}`, caller);
    const all = { ...connectionOptions, ...options };
    return this.run(() => mongoose.createConnection(`mongodb://${host}/${database}`, all).asPromise());
  }

  /** Lets the world go on until the work has come to its end. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isRunning) return work();
    this.#isRunning = true;
    return this.#until(work).finally(() => (this.#isRunning = false));
  }

  async #until<T>(work: () => Promise<T>): Promise<T> {
    const untilMs = this.scheduler.nowMs + PATIENCE_MS;
    const over = { is: false };
    const outcome = work().finally(() => {
      over.is = true;
      this.scheduler.stop();
    });
    outcome.catch(() => undefined);
    while (!over.is && this.scheduler.nowMs < untilMs) await this.scheduler.run(untilMs);
    if (!over.is) throw new Error('the world came to its end before the work');
    return outcome;
  }

  /** Lets a time pass. */
  async pass(ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.nowMs + ms);
  }
}

export function simulatedStore(): Store {
  const world = new StoreWorld();
  return {
    kind: 'simulated',
    port: 0,
    connect: (database, options) => world.connect(database, undefined, options),
    run: (work) => world.run(work),
    stop: async () => world.mongo.forget(),
  };
}

/** A server as everywhere in the tests, under a mongoose that still knows real ones. */
export async function realStore(): Promise<Store> {
  const server = await startMongo();
  const connections: Connection[] = [];
  return {
    kind: server.description.startsWith('SecantusDB') ? 'SecantusDB' : 'MongoDB',
    port: server.port,
    connect: async (database, options = {}) => {
      const connection = await realMongoose()
        .createConnection(server.uri(database), { ...connectionOptions, ...options })
        .asPromise();
      connections.push(connection);
      return connection;
    },
    run: (work) => work(),
    stop: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
    },
  };
}

const nativeDriver = createRequire(import.meta.url)('mongoose/lib/drivers/node-mongodb-native') as object;

export function realMongoose(): mongoose.Mongoose {
  const real = new mongoose.Mongoose();
  real.setDriver(nativeDriver);
  return real;
}

/** What code can see of an error, without what differs from server to server. */
export function shapeOf(error: unknown): object {
  if (!(error instanceof Error)) throw new Error(`no error: ${String(error)}`);
  const { name } = error;
  if (!(error instanceof mongo.MongoError)) return { name };
  const fields = error as mongo.MongoError & Record<string, unknown>;
  const index = /index: (\S+)/.exec(error.message)?.[1];
  return {
    name,
    class: error.constructor.name,
    code: error.code,
    labels: error.errorLabels.toSorted(),
    ...(index ? { index } : {}),
    ...(fields['keyPattern'] ? { keyPattern: fields['keyPattern'], keyValue: fields['keyValue'] } : {}),
    ...(fields['index'] === undefined ? {} : { statement: fields['index'] }),
    ...('writeConcernError' in fields ? { writeConcernError: (fields['writeConcernError'] as { code: number }).code } : {}),
    ...(error instanceof mongo.MongoBulkWriteError ? bulkShapeOf(error) : {}),
  };
}

function bulkShapeOf(error: mongo.MongoBulkWriteError): object {
  const { writeErrors, result, insertedCount, insertedIds } = error;
  return {
    writeErrors: [writeErrors]
      .flat()
      .map(({ code, index, errmsg }) => ({ code, index, of: /index: (\S+)/.exec(errmsg ?? '')?.[1] })),
    insertedCount,
    insertedIds: Object.entries(insertedIds),
    resultErrors: result.getWriteErrorCount(),
    writeConcernError: result.getWriteConcernError()?.code,
  };
}

/** What a piece of work throws. */
export const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => {
      throw new Error(`nothing was thrown, but there came ${String(value)}`);
    },
    (error: unknown) => error,
  );
