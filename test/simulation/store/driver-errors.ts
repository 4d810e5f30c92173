import { createRequire } from 'node:module';
import { mongo } from 'mongoose';
import { type FailedReply, isRetryable, type Reply, type WriteReply } from './replies.ts';
import type { StoreClient } from './simulated-mongo.ts';
import type { Doc } from './values.ts';

/** How the driver makes an error of the replies to an ordered or unordered bulk: its own code, which it does not export. */
interface BulkOfDriver {
  Batch: new (type: number, originalZeroIndex: number) => { operations: Doc[]; originalIndexes: number[] };
  BulkWriteResult: new (result: BulkResult, isOrdered: boolean) => mongo.BulkWriteResult;
  mergeBatchResults(batch: object, into: BulkResult, error: unknown, reply: unknown): void;
}

interface BulkResult {
  ok: number;
  writeErrors: mongo.WriteError[];
  writeConcernErrors: unknown[];
  insertedIds: { index: number; _id: unknown }[];
  nInserted: number;
  nUpserted: number;
  nMatched: number;
  nModified: number;
  nRemoved: number;
  upserted: unknown[];
}

const requireOfMongoose = createRequire(createRequire(import.meta.url).resolve('mongoose'));
const bulk = requireOfMongoose('mongodb/lib/bulk/common.js') as BulkOfDriver;
const INSERT = 1;

/** The connection broke while an answer was awaited. */
export const brokenConnection = ({ name }: StoreClient): mongo.MongoError =>
  new mongo.MongoNetworkError(`connection of ${name} to the simulated store closed`);

/** No answer came within `socketTimeoutMS`. */
export const silentConnection = ({ name }: StoreClient): mongo.MongoError =>
  new mongo.MongoNetworkTimeoutError(`connection of ${name} to the simulated store timed out`);

/** No server was found within `serverSelectionTimeoutMS`. */
export function noServer({ serverSelectionTimeoutMS: ms }: StoreClient, hasPrimary: boolean): mongo.MongoError {
  const reason = hasPrimary ? { error: new mongo.MongoNetworkError('connect ECONNREFUSED, the simulated store is away') } : {};
  return new mongo.MongoServerSelectionError(`Server selection timed out after ${ms} ms`, reason as mongo.TopologyDescription);
}

/** Throws what the driver throws of a reply before an operation looks at it (its Server and Connection). */
export function throwIfFailed<T extends { ok: 1 }>(reply: T | FailedReply): T {
  if (reply.ok === 0) throw new mongo.MongoServerError(reply);
  if ('writeConcernError' in reply) throw new mongo.MongoWriteConcernError(reply as never);
  return reply;
}

/** Adds the labels that the driver adds. */
export function labelled(error: mongo.MongoError): mongo.MongoError {
  if (error instanceof mongo.MongoNetworkError) {
    error.addErrorLabel('RetryableWriteError');
    if (!(error instanceof mongo.MongoNetworkTimeoutError)) error.addErrorLabel('ResetPool');
  } else if (SHUTTING_DOWN.has(Number(error.code))) {
    error.addErrorLabel('ResetPool');
  }
  return error;
}

const SHUTTING_DOWN = new Set([91, 11_600]);
/** What says that the server is no primary, or none any more. */
const NO_PRIMARY = new Set([91, 189, 10_107, 11_600, 11_602, 13_435, 13_436]);

/** Whether the driver looks for a server anew after an error, since it holds the one it knew for gone. */
export function forgetsServer(error: mongo.MongoError): boolean {
  if (error instanceof mongo.MongoNetworkError) return !(error instanceof mongo.MongoNetworkTimeoutError);
  return NO_PRIMARY.has(Number(error.code));
}

const READ_CONCERN_NOT_YET = 134;

/** Whether the driver asks once more, if it asks the command again at all. */
export function isAskedAgain(error: mongo.MongoError, kind: 'read' | 'write'): boolean {
  if (kind === 'write') return error.hasErrorLabel('RetryableWriteError');
  return error instanceof mongo.MongoNetworkError || isRetryable(Number(error.code)) || error.code === READ_CONCERN_NOT_YET;
}

/** Throws what an operation on one document, or on all that match, throws of a reply. */
export function throwIfRefused({ writeErrors }: WriteReply): void {
  if (writeErrors?.[0]) throw new mongo.MongoServerError(writeErrors[0]);
}

/** What `insertMany` makes of the reply, or of the error. */
export function insertedMany(
  documents: readonly Doc[],
  outcome: { reply: Reply } | { error: unknown },
  isOrdered: boolean,
): mongo.InsertManyResult {
  const result: BulkResult = {
    ok: 1,
    writeErrors: [],
    writeConcernErrors: [],
    insertedIds: documents.map((document, index) => ({ index, _id: document['_id'] })),
    nInserted: 0,
    nUpserted: 0,
    nMatched: 0,
    nModified: 0,
    nRemoved: 0,
    upserted: [],
  };
  const batch = new bulk.Batch(INSERT, 0);
  batch.operations.push(...documents);
  batch.originalIndexes.push(...documents.keys());
  const asResult = () => new bulk.BulkWriteResult(result, isOrdered);
  if ('error' in outcome) {
    const { error } = outcome;
    if (!(error instanceof mongo.MongoWriteConcernError)) throw new mongo.MongoBulkWriteError(error as never, asResult());
    bulk.mergeBatchResults(batch, result, error, undefined);
    const { errmsg, code } = error.result['writeConcernError'];
    throw new mongo.MongoBulkWriteError({ message: errmsg, code } as never, asResult());
  }
  bulk.mergeBatchResults(batch, result, undefined, outcome.reply);
  const [first] = result.writeErrors;
  if (first) {
    const { code, errmsg: message } = first;
    throw new mongo.MongoBulkWriteError({ message, code, writeErrors: result.writeErrors } as never, asResult());
  }
  const { insertedCount, insertedIds } = asResult();
  return { acknowledged: true, insertedCount, insertedIds };
}
