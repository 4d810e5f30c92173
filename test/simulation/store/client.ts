import { EventEmitter } from 'node:events';
import { mongo } from 'mongoose';
import type { Caller } from '../caller.ts';
import * as commands from './commands.ts';
import type { Batch, Command, Query } from './commands.ts';
import { forgetsServer, insertedMany, isAskedAgain, labelled, throwIfFailed, throwIfRefused } from './driver-errors.ts';
import { sortOf } from './plan.ts';
import type { Reply, WriteReply } from './replies.ts';
import type { SimulatedMongo, StoreClient } from './simulated-mongo.ts';
import { type Doc, overTheWire, UnknownToStore } from './values.ts';
import type { IndexSpec } from './versions.ts';

const ATTEMPTS_MAX = 2;

export interface ClientOptions {
  serverSelectionTimeoutMS: number;
  socketTimeoutMS: number;
}

/** What a process has of the driver, below mongoose: what it does around each command, in virtual time. */
export class SimulatedClient extends EventEmitter implements StoreClient {
  readonly name: string;
  readonly serverSelectionTimeoutMS: number;
  readonly socketTimeoutMS: number;
  readonly mongo: SimulatedMongo;
  readonly #caller: Caller;
  readonly #database: string;
  #isClosed = false;
  /** It knows of a server. That there is none any more it learns from the first operation that finds out. */
  #knowsServer = false;

  constructor(mongo: SimulatedMongo, caller: Caller, database: string, options: ClientOptions) {
    super();
    this.mongo = mongo;
    this.name = caller.name;
    this.#caller = caller;
    this.#database = database;
    this.serverSelectionTimeoutMS = options.serverSelectionTimeoutMS;
    this.socketTimeoutMS = options.socketTimeoutMS;
  }

  db(name = this.#database): SimulatedDb {
    return new SimulatedDb(this, name);
  }

  /** Finds a server and asks it something, as the driver does before it says that it is connected. */
  async connect(): Promise<void> {
    await this.#select();
    await this.execute(commands.runCommand(`${this.#database} connect`, { ping: 1 }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /**
   * Asks a command, and once more if the driver would: a write under the same transaction number, so that it is done once. What was known of
   * the servers is forgotten with an error, so that one is looked for again (the driver's executeOperationWithRetries).
   */
  async execute<T extends { ok: 1 }>(command: Command<T>): Promise<T> {
    let failure: mongo.MongoError | undefined;
    for (let attempt = 1; ; attempt++) {
      if (this.#isClosed) throw new mongo.MongoNotConnectedError('Client must be connected before running operations');
      if (!this.#knowsServer) await this.#select();
      try {
        const what = attempt === 1 ? command.what : `${command.what} again`;
        return throwIfFailed(await this.#caller.call<T | Reply>(what, (answer) => this.mongo.take(this, command, answer))) as T;
      } catch (error) {
        if (!(error instanceof mongo.MongoError)) throw error;
        labelled(error);
        if (forgetsServer(error)) this.#knowsServer = false;
        // What the first attempt did not say of the write, a second one that wrote nothing does not say either.
        if (!failure || !error.hasErrorLabel('NoWritesPerformed')) failure = error;
        if (attempt === ATTEMPTS_MAX || !command.retries || !isAskedAgain(error, command.kind)) throw failure;
      }
    }
  }

  async #select(): Promise<void> {
    await this.#caller.call<undefined>(`${this.#database} find a server`, (answer) => this.mongo.select(this, answer));
    this.#knowsServer = true;
  }

  /** Says no, so that nobody can miss it: to who asked, and to the world. */
  refuse(what: string): never {
    return this.reads(() => {
      throw new UnknownToStore(what);
    });
  }

  /** A document as it goes over to the server. */
  wire(document: object): Doc {
    return this.reads(() => overTheWire(document));
  }

  /** Who asked might swallow that something is not simulated; the world does not. */
  reads<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof UnknownToStore) this.mongo.fail(error);
      throw error;
    }
  }
}

/** A database of the driver, as far as it is used. */
export class SimulatedDb {
  readonly databaseName: string;
  readonly client: SimulatedClient;

  constructor(client: SimulatedClient, name: string) {
    this.client = client;
    this.databaseName = name;
  }

  collection(name: string): SimulatedCollection {
    return new SimulatedCollection(this.client, `${this.databaseName}.${name}`, name);
  }

  async createCollection(name: string, options: object = {}): Promise<SimulatedCollection> {
    knownOptions(this.client, 'createCollection', options, []);
    const namespace = `${this.databaseName}.${name}`;
    await this.client.execute(commands.createCollection(`${namespace} createCollection`, namespace));
    return this.collection(name);
  }

  async command(command: object): Promise<Doc> {
    const [name] = Object.keys(command);
    return this.client.execute(commands.runCommand(`${this.databaseName} ${name}`, this.client.wire(command)));
  }
}

/** A collection of the driver, as far as it is used. */
export class SimulatedCollection {
  readonly collectionName: string;
  readonly namespace: string;
  readonly client: SimulatedClient;

  constructor(client: SimulatedClient, namespace: string, name: string) {
    this.client = client;
    this.namespace = namespace;
    this.collectionName = name;
  }

  async insertOne(document: object, options: object = {}): Promise<mongo.InsertOneResult> {
    knownOptions(this.client, 'insertOne', options, []);
    const sent = this.client.wire(document);
    const command = commands.insert(this.#what('insertOne', sent), this.namespace, [sent], true);
    throwIfRefused(await this.client.execute(command));
    return { acknowledged: true, insertedId: document['_id' as never] };
  }

  async insertMany(documents: readonly object[], options: { ordered?: boolean } = {}): Promise<mongo.InsertManyResult> {
    knownOptions(this.client, 'insertMany', options, ['ordered']);
    if (documents.length === 0) throw new mongo.MongoInvalidArgumentError('Invalid BulkOperation, Batch cannot be empty');
    const isOrdered = options.ordered ?? true;
    const sent = documents.map((document) => this.client.wire(document));
    const what = `${this.#what('insertMany', sent[0] ?? {})}${sent.length > 1 ? ` and ${sent.length - 1} more` : ''}`;
    const outcome = await this.client.execute(commands.insert(what, this.namespace, sent, isOrdered)).then(
      (reply) => ({ reply }),
      (error: unknown) => ({ error }),
    );
    return insertedMany(sent, outcome, isOrdered);
  }

  updateOne(filter: object, update: object, options: { upsert?: boolean } = {}): Promise<mongo.UpdateResult> {
    return this.#update('updateOne', filter, update, options);
  }

  updateMany(filter: object, update: object, options: object = {}): Promise<mongo.UpdateResult> {
    return this.#update('updateMany', filter, update, options);
  }

  async #update(
    method: 'updateOne' | 'updateMany',
    filter: object,
    update: object,
    options: { upsert?: boolean },
  ): Promise<mongo.UpdateResult> {
    const isMulti = method === 'updateMany';
    knownOptions(this.client, method, options, isMulti ? [] : ['upsert']);
    if (Array.isArray(update)) this.client.refuse('an update by a pipeline');
    const names = Object.keys(update);
    if (names.length === 0 || !names.every((name) => name.startsWith('$'))) {
      throw new mongo.MongoInvalidArgumentError('Update document requires atomic operators');
    }
    const query = this.client.wire(filter);
    const statement = { filter: query, update: this.client.wire(update), isMulti, isUpsert: options.upsert === true };
    const reply = await this.client.execute(commands.update(this.#what(method, query), this.namespace, statement));
    throwIfRefused(reply);
    const [upserted] = reply.upserted ?? [];
    return {
      acknowledged: true,
      modifiedCount: reply.nModified ?? 0,
      upsertedId: (upserted?._id ?? null) as never,
      upsertedCount: upserted ? 1 : 0,
      matchedCount: upserted ? 0 : reply.n,
    };
  }

  deleteOne(filter: object = {}, options: object = {}): Promise<mongo.DeleteResult> {
    return this.#delete('deleteOne', filter, options);
  }

  deleteMany(filter: object = {}, options: object = {}): Promise<mongo.DeleteResult> {
    return this.#delete('deleteMany', filter, options);
  }

  async #delete(method: 'deleteOne' | 'deleteMany', filter: object, options: object): Promise<mongo.DeleteResult> {
    knownOptions(this.client, method, options, []);
    const query = this.client.wire(filter);
    const command = commands.remove(this.#what(method, query), this.namespace, query, method === 'deleteMany');
    const reply: WriteReply = await this.client.execute(command);
    throwIfRefused(reply);
    return { acknowledged: true, deletedCount: reply.n };
  }

  async findOne(filter: object = {}, options: FindOptions = {}): Promise<Doc | null> {
    return new SimulatedCursor(this.client, this.#finding('findOne', filter, { ...options, limit: 1 })).next();
  }

  find(filter: object = {}, options: FindOptions = {}): SimulatedFindCursor {
    return new SimulatedFindCursor(this.client, options, (chosen) => this.#finding('find', filter, chosen));
  }

  #finding(method: 'find' | 'findOne', filter: object, options: FindOptions): Command<Batch> {
    knownOptions(this.client, method, options, ['sort', 'projection', 'skip', 'limit', 'batchSize']);
    const sort = this.client.reads(() => sortOf(options.sort ?? {}));
    const query: Query = {
      filter: this.client.wire(filter),
      sort,
      projection: this.client.wire(options.projection ?? {}),
      skip: options.skip ?? 0,
      // A negative one means one batch.
      limit: Math.abs(options.limit ?? 0),
      ...(options.batchSize ? { batchSize: options.batchSize } : {}),
    };
    const what = this.#what(method, query.filter) + (sort.length > 0 ? ` by ${sort.map(([path]) => path).join(',')}` : '');
    return commands.find(what, this.namespace, query);
  }

  async countDocuments(filter: object = {}, options: { limit?: number } = {}): Promise<number> {
    knownOptions(this.client, 'countDocuments', options, ['limit']);
    const query = this.client.wire(filter);
    const { n } = await this.client.execute(commands.count(this.#what('countDocuments', query), this.namespace, query));
    return Math.min(n, options.limit ?? Infinity);
  }

  aggregate(pipeline: readonly object[] = [], options: object = {}): SimulatedCursor {
    knownOptions(this.client, 'aggregate', options, []);
    const stages = pipeline.map((stage) => this.client.wire(stage));
    const what = `${this.namespace} aggregate ${stages.map((stage) => Object.keys(stage).join()).join(' ')}`;
    return new SimulatedCursor(this.client, commands.aggregate(what, this.namespace, stages));
  }

  async createIndex(key: object, options: object = {}): Promise<string> {
    const [name = ''] = await this.createIndexes([{ key, ...options }]);
    return name;
  }

  async createIndexes(descriptions: readonly { key: object }[], options: object = {}): Promise<string[]> {
    knownOptions(this.client, 'createIndexes', options, []);
    const specs = descriptions.map((description) => this.#spec(description));
    const names = specs.map(({ name }) => name);
    await this.client.execute(
      commands.createIndexes(`${this.namespace} createIndexes ${names.join(' ')}`, this.namespace, specs),
    );
    return names;
  }

  #spec({ key, ...options }: { key: object }): IndexSpec {
    knownOptions(this.client, 'createIndexes', options, ['name', 'unique', 'sparse', 'expireAfterSeconds', 'background']);
    const { name, unique, sparse, expireAfterSeconds } = options as Partial<IndexSpec>;
    const fields = Object.fromEntries(this.client.reads(() => sortOf(key)));
    return {
      key: fields,
      name: name ?? Object.entries(fields).flat().join('_'),
      unique: unique ?? false,
      sparse: sparse ?? false,
      ...(expireAfterSeconds === undefined ? {} : { expireAfterSeconds }),
    };
  }

  listIndexes(options: object = {}): SimulatedCursor {
    knownOptions(this.client, 'listIndexes', options, []);
    return new SimulatedCursor(this.client, commands.listIndexes(`${this.namespace} listIndexes`, this.namespace));
  }

  indexes(options: object = {}): Promise<Doc[]> {
    return this.listIndexes(options).toArray();
  }

  /** `smspay_wallet.transfers findOne pay:SM1`, or what it is asked by. */
  #what(method: string, query: Doc): string {
    const id = query['_id'];
    return `${this.namespace} ${method} ${typeof id === 'string' ? id : Object.keys(query).join()}`.trimEnd();
  }
}

export interface FindOptions {
  sort?: object;
  projection?: object;
  skip?: number;
  limit?: number;
  batchSize?: number;
}

function knownOptions(client: SimulatedClient, method: string, options: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !known.includes(name)) client.refuse(`the option ${name} of ${method}`);
  }
}

/** A cursor of the driver: documents come in batches, each asked of the server. */
export class SimulatedCursor {
  readonly client: SimulatedClient;
  #command: Command<Batch> | undefined;
  #documents: Doc[] = [];
  #what = '';

  constructor(client: SimulatedClient, command: Command<Batch> | undefined) {
    this.client = client;
    this.#command = command;
  }

  protected start(command: Command<Batch>): void {
    this.#command = command;
  }

  async next(): Promise<Doc | null> {
    while (this.#documents.length === 0 && this.#command) await this.#fetch();
    return this.#documents.shift() ?? null;
  }

  async toArray(): Promise<Doc[]> {
    const all: Doc[] = [];
    for (;;) {
      for (const document of this.#documents) all.push(document);
      this.#documents = [];
      if (!this.#command) return all;
      await this.#fetch();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Doc> {
    for (let document = await this.next(); document; document = await this.next()) yield document;
  }

  async close(): Promise<void> {
    this.#command = undefined;
    this.#documents = [];
  }

  async #fetch(): Promise<void> {
    const command = this.#command as Command<Batch>;
    this.#command = undefined;
    this.#what ||= command.what;
    const { documents, more } = await this.client.execute(command);
    this.#documents = documents;
    this.#command = more?.(`${this.#what} more`);
  }
}

/** A cursor that is told what it looks for as long as nothing was asked of it. */
export class SimulatedFindCursor extends SimulatedCursor {
  readonly #options: FindOptions;
  readonly #commandOf: (options: FindOptions) => Command<Batch>;
  #isStarted = false;

  constructor(client: SimulatedClient, options: FindOptions, commandOf: (options: FindOptions) => Command<Batch>) {
    super(client, undefined);
    this.#options = { ...options };
    this.#commandOf = commandOf;
  }

  sort(sort: object): this {
    return this.#chosen({ sort });
  }

  limit(limit: number): this {
    return this.#chosen({ limit });
  }

  skip(skip: number): this {
    return this.#chosen({ skip });
  }

  project(projection: object): this {
    return this.#chosen({ projection });
  }

  batchSize(batchSize: number): this {
    return this.#chosen({ batchSize });
  }

  override next(): Promise<Doc | null> {
    this.#begin();
    return super.next();
  }

  override toArray(): Promise<Doc[]> {
    this.#begin();
    return super.toArray();
  }

  #chosen(option: FindOptions): this {
    if (this.#isStarted) throw new mongo.MongoCursorInUseError();
    Object.assign(this.#options, option);
    return this;
  }

  #begin(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.start(this.#commandOf(this.#options));
  }
}

/** What of the driver's classes is not simulated says so when it is called. */
function refuseTheRest(simulated: object, real: object, clientOf: (of: never) => SimulatedClient): void {
  for (let prototype: object | null = real; prototype; prototype = Object.getPrototypeOf(prototype) as object | null) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value !== 'function' || name in simulated) continue;
      const refuse = function (this: never): never {
        return clientOf(this).refuse(`the method ${name}`);
      };
      Object.defineProperty(simulated, name, { value: refuse });
    }
  }
}

type OfClient = { client: SimulatedClient };
refuseTheRest(SimulatedClient.prototype, mongo.MongoClient.prototype, (client: SimulatedClient) => client);
refuseTheRest(SimulatedDb.prototype, mongo.Db.prototype, ({ client }: OfClient) => client);
refuseTheRest(SimulatedCollection.prototype, mongo.Collection.prototype, ({ client }: OfClient) => client);
refuseTheRest(SimulatedCursor.prototype, mongo.FindCursor.prototype, ({ client }: OfClient) => client);
