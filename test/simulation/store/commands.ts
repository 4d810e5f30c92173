import { inOrder, NEWEST, type StoredCollection, Walk } from './collection.ts';
import { type Filter, filterOf, isOperators } from './filter.ts';
import { type Sort, sortOf } from './plan.ts';
import { aggregated } from './pipeline.ts';
import { projectionOf } from './projection.ts';
import { duplicateDetails, duplicateKey, failed, type FailedReply, type WriteError, type WriteReply } from './replies.ts';
import { Refusal, updateOf } from './update.ts';
import { copyOf, type Doc, isDoc, UnknownToStore, type Value } from './values.ts';
import type { IndexSpec, Version } from './versions.ts';

/** A write as it stands in the oplog. */
export interface Written {
  isRolledBack: boolean;
}

/** The server that a command reaches. */
export interface Primary {
  /** Another one each time that another server is the primary. */
  readonly term: number;
  /** The newest place in the oplog that it knows to be with a majority: what reads see. */
  readonly committed: number;
  readonly localTime: Date;
  collection(namespace: string): StoredCollection | undefined;
  create(namespace: string): StoredCollection;
  write(namespace: string, document: Doc | undefined, before?: Version): Written;
  /** No declared index serves a query. */
  unserved(): void;
}

/** Of what a command is made that is asked of the server, the same through all attempts of the driver. */
export interface Command<T> {
  /** `smspay_wallet.transfers insertOne pay:SM1` */
  readonly what: string;
  readonly kind: 'read' | 'write';
  /** The driver asks it once more if it does not know what became of it. */
  readonly retries: boolean;
  /** Changes documents: it is answered when a majority has them. */
  readonly waits: boolean;
  run(primary: Primary): T | FailedReply;
}

/** What the driver sends a second time, the server carries out once: it knows the transaction number. */
const stands = (written: Written | undefined) => written !== undefined && !written.isRolledBack;

/** Ordered, it ends at the first duplicate. */
export function insert(what: string, namespace: string, documents: readonly Doc[], isOrdered: boolean): Command<WriteReply> {
  const written: Written[] = [];
  return {
    what,
    kind: 'write',
    retries: true,
    waits: true,
    run: (primary) => {
      const collection = primary.create(namespace);
      const writeErrors: WriteError[] = [];
      let n = 0;
      for (const [index, document] of documents.entries()) {
        refuseUnstorable(document);
        const duplicate = stands(written[index]) ? undefined : collection.duplicateOf(document);
        if (duplicate) {
          writeErrors.push(duplicateKey(namespace, index, duplicate));
          if (isOrdered) break;
          continue;
        }
        if (!stands(written[index])) written[index] = primary.write(namespace, document);
        n++;
      }
      return { ok: 1, n, ...(writeErrors.length > 0 ? { writeErrors } : {}) };
    },
  };
}

function refuseUnstorable(document: Doc): void {
  const id = document['_id'];
  if (id === undefined) throw new UnknownToStore('documents without an _id');
  if (Array.isArray(id)) throw new UnknownToStore('an _id that is an array');
  refuseOddNames(document);
}

function refuseOddNames(document: Doc): void {
  for (const name in document) {
    if (name === '' || name.startsWith('$') || name.includes('.')) throw new UnknownToStore(`a field with the name ${name}`);
    const value = document[name];
    if (typeof value !== 'object' || value === null) continue;
    if (isDoc(value)) refuseOddNames(value);
    else if (Array.isArray(value)) for (const each of value) refuseOddElement(name, each);
  }
}

function refuseOddElement(name: string, element: Value): void {
  if (Array.isArray(element)) throw new UnknownToStore(`arrays in arrays: ${name}`);
  if (isDoc(element)) refuseOddNames(element);
}

export interface UpdateStatement {
  filter: Doc;
  update: Doc;
  isMulti: boolean;
  isUpsert: boolean;
}

export function update(what: string, namespace: string, statement: UpdateStatement): Command<WriteReply> {
  let done: { written: Written; reply: WriteReply } | undefined;
  return {
    what,
    kind: 'write',
    retries: !statement.isMulti,
    waits: true,
    run: (primary) => {
      if (done && stands(done.written)) return done.reply;
      const filter = filterOf(statement.filter);
      try {
        const change = updateOf(statement.update);
        const collection = primary.create(namespace);
        const found = foundBy(primary, collection, filter, statement.isMulti ? Infinity : 1);
        if (found.length === 0 && statement.isUpsert) {
          const document = change.applyTo(seedOf(statement.filter), true);
          const outcome = put(primary, namespace, collection, document);
          if ('code' in outcome) return refused(outcome);
          const reply: WriteReply = { ok: 1, n: 1, nModified: 0, upserted: [{ index: 0, _id: document['_id'] ?? null }] };
          done = { written: outcome, reply };
          return reply;
        }
        let nModified = 0;
        for (const version of found) {
          const document = change.applyTo(version.document as Doc, false);
          if (document === version.document) continue;
          const outcome = put(primary, namespace, collection, document, version);
          if ('code' in outcome) return refused(outcome);
          if (!statement.isMulti) done = { written: outcome, reply: { ok: 1, n: 1, nModified: 1 } };
          nModified++;
        }
        return { ok: 1, n: found.length, nModified };
      } catch (error) {
        if (error instanceof Refusal) return refused({ code: error.code, errmsg: error.message });
        throw error;
      }
    },
  };
}

const refused = (error: Omit<WriteError, 'index'>): WriteReply => ({
  ok: 1,
  n: 0,
  nModified: 0,
  writeErrors: [{ index: 0, ...error }],
});

function put(primary: Primary, namespace: string, collection: StoredCollection, document: Doc, before?: Version) {
  refuseUnstorable(document);
  const duplicate = collection.duplicateOf(document, before);
  return duplicate ? duplicateDetails(namespace, duplicate) : primary.write(namespace, document, before);
}

/** What an upsert begins with: what its filter says a field is. */
function seedOf(filter: Doc): Doc {
  const equal: Doc = {};
  for (const [name, operand] of Object.entries(filter)) {
    if (name.startsWith('$')) throw new UnknownToStore(`an upsert with ${name}`);
    if (!isOperators(operand)) equal[name] = operand;
    else if (operand['$eq'] !== undefined) equal[name] = operand['$eq'];
  }
  return updateOf({ $set: equal }).applyTo({}, true);
}

/** What the primary has applied, committed or not: what a write decides on. */
function foundBy(primary: Primary, collection: StoredCollection, filter: Filter, most: number): Version[] {
  const plan = collection.plan(filter);
  if (!plan.isServed) primary.unserved();
  return new Walk(filter, plan).take(most, NEWEST);
}

/** Deletes. */
export function remove(what: string, namespace: string, query: Doc, isMulti: boolean): Command<WriteReply> {
  let done: Written | undefined;
  return {
    what,
    kind: 'write',
    retries: !isMulti,
    waits: true,
    run: (primary) => {
      if (!isMulti && stands(done)) return { ok: 1, n: 1 };
      const collection = primary.collection(namespace);
      const found = collection ? foundBy(primary, collection, filterOf(query), isMulti ? Infinity : 1) : [];
      for (const version of found) done = primary.write(namespace, undefined, version);
      return { ok: 1, n: found.length };
    },
  };
}

export interface Query {
  filter: Doc;
  sort: Sort;
  projection: Doc;
  skip: number;
  /** 0: all. */
  limit: number;
  /** How many come at a time; as many as MongoDB gives if absent. */
  batchSize?: number;
}

/** Documents, and how to get more. */
export interface Batch {
  ok: 1;
  documents: Doc[];
  more?: (what: string) => Command<Batch>;
}

/** Of the first batch; the next ones are of 16 MB. */
const FIRST_BATCH = 101;
const CURSOR_NOT_FOUND = 43;

export function find(what: string, namespace: string, query: Query): Command<Batch> {
  const { sort, skip, limit, batchSize } = query;
  const most = limit === 0 ? Infinity : limit + skip;
  return {
    what,
    kind: 'read',
    retries: true,
    waits: false,
    run: (primary) => {
      const collection = primary.collection(namespace);
      const filter = filterOf(query.filter);
      const project = projectionOf(query.projection);
      if (!collection) return { ok: 1, documents: [] };
      const plan = collection.plan(filter, sort);
      if (!plan.isServed) primary.unserved();
      const walk = new Walk(filter, plan);
      const source = plan.isSorted ? walk : new Listed(inOrder(walk.take(Infinity, primary.committed), sort));
      const { term } = primary;
      let left = most;
      const next = (server: Primary, size: number, skipped: number): Batch => {
        const versions = source.take(Math.min(left, size + skipped), server.committed);
        left -= versions.length;
        const documents = versions.slice(skipped).map(({ document }) => project(document as Doc));
        return { ok: 1, documents, ...(left > 0 && !source.isOver ? { more: getMore } : {}) };
      };
      const getMore = (again: string): Command<Batch> => ({
        what: again,
        kind: 'read',
        retries: false,
        waits: false,
        // The cursor lies at the server that made it.
        run: (server) => (server.term === term ? next(server, batchSize ?? Infinity, 0) : failed(CURSOR_NOT_FOUND, false)),
      });
      return next(primary, batchSize ?? FIRST_BATCH, skip);
    },
  };
}

/** What was sorted lies at the server as it was then. */
class Listed {
  readonly #versions: Version[];

  constructor(versions: Version[]) {
    this.#versions = versions;
  }

  get isOver(): boolean {
    return this.#versions.length === 0;
  }

  take(most: number): Version[] {
    return this.#versions.splice(0, most);
  }
}

export function count(what: string, namespace: string, query: Doc): Command<{ ok: 1; n: number }> {
  return {
    what,
    kind: 'read',
    retries: true,
    waits: false,
    run: (primary) => ({ ok: 1, n: committedBy(primary, namespace, query).length }),
  };
}

function committedBy(primary: Primary, namespace: string, query: Doc, sort: Sort = []): Version[] {
  const collection = primary.collection(namespace);
  const filter = filterOf(query);
  if (!collection) return [];
  const plan = collection.plan(filter, sort);
  if (!plan.isServed) primary.unserved();
  const versions = new Walk(filter, plan).take(Infinity, primary.committed);
  return plan.isSorted ? versions : inOrder(versions, sort);
}

/** What a pipeline matches and sorts by at its beginning is looked for as in a find. */
export function aggregate(what: string, namespace: string, stages: readonly Doc[]): Command<Batch> {
  const rest = [...stages];
  const first = (name: string) => (rest[0] && name in rest[0] ? rest.shift()?.[name] : undefined);
  const match = first('$match') ?? {};
  const sort = first('$sort') ?? {};
  return {
    what,
    kind: 'read',
    retries: true,
    waits: false,
    run: (primary) => {
      if (!isDoc(match) || !isDoc(sort)) throw new UnknownToStore('a stage of no document');
      const versions = committedBy(primary, namespace, match, sortOf(sort));
      const documents = versions.map(({ document }) => document as Doc);
      return { ok: 1, documents: aggregated(documents, rest).map((each) => copyOf(each)) };
    },
  };
}

const NAMESPACE_NOT_FOUND = 26;
const NAMESPACE_EXISTS = 48;
const INDEX_OPTIONS_CONFLICT = 85;
const INDEX_SPECS_CONFLICT = 86;

/** Made at once and for good: no step-down takes a collection or an index back, as it could. */
export function createCollection(what: string, namespace: string): Command<{ ok: 1 }> {
  return {
    what,
    kind: 'write',
    retries: false,
    waits: false,
    run: (primary) => {
      if (primary.collection(namespace)) return failed(NAMESPACE_EXISTS, false, `Collection ${namespace} already exists.`);
      primary.create(namespace);
      return { ok: 1 };
    },
  };
}

export function createIndexes(what: string, namespace: string, specs: readonly IndexSpec[]): Command<{ ok: 1 }> {
  return {
    what,
    kind: 'write',
    retries: false,
    waits: false,
    run: (primary) => {
      const collection = primary.create(namespace);
      for (const spec of specs) {
        const named = collection.indexes.find((index) => index.spec.name === spec.name);
        if (named && isSameIndex(named.spec, spec)) continue;
        if (named) return failed(INDEX_SPECS_CONFLICT, false);
        const key = JSON.stringify(spec.key);
        if (collection.indexes.some((index) => JSON.stringify(index.spec.key) === key))
          return failed(INDEX_OPTIONS_CONFLICT, false);
        const duplicate = collection.addIndex(spec);
        if (duplicate) return { ok: 0, codeName: 'DuplicateKey', ...duplicateDetails(namespace, duplicate) };
      }
      return { ok: 1 };
    },
  };
}

const isSameIndex = (one: IndexSpec, other: IndexSpec) =>
  JSON.stringify(one.key) === JSON.stringify(other.key) &&
  one.unique === other.unique &&
  one.sparse === other.sparse &&
  one.expireAfterSeconds === other.expireAfterSeconds;

export function listIndexes(what: string, namespace: string): Command<Batch> {
  return {
    what,
    kind: 'read',
    retries: true,
    waits: false,
    run: (primary) => {
      const collection = primary.collection(namespace);
      if (!collection) return { ...failed(NAMESPACE_NOT_FOUND, false), errmsg: `ns does not exist: ${namespace}` };
      return { ok: 1, documents: collection.indexes.map(({ spec }) => described(spec)) };
    },
  };
}

function described({ key, name, unique, sparse, expireAfterSeconds }: IndexSpec): Doc {
  return {
    v: 2,
    key: { ...key },
    name,
    ...(unique && name !== '_id_' ? { unique } : {}),
    ...(sparse ? { sparse } : {}),
    ...(expireAfterSeconds === undefined ? {} : { expireAfterSeconds }),
  };
}

export type CommandReply = Doc & { ok: 1 };

/** `ping` and `hello`: the driver does not ask them again. */
export function runCommand(what: string, command: Doc): Command<CommandReply> {
  const [name] = Object.keys(command);
  return {
    what,
    kind: 'read',
    retries: false,
    waits: false,
    run: ({ localTime }): CommandReply => {
      const ok = 1;
      if (name === 'ping') return { ok };
      if (name === 'hello') return { ok, isWritablePrimary: true, setName: 'simulated', localTime };
      throw new UnknownToStore(`the command ${name}`);
    },
  };
}
