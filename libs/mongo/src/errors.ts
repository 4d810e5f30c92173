import type { RpcFault } from '#libs/contracts';
import { Unavailable } from '#libs/runtime';
import { mongo, type Error as MongooseErrors } from 'mongoose';

const DUPLICATE_KEY = 11_000;

/** True for a bare duplicate key: nothing was written. Every other error is ambiguous, one with a write-concern error beside it too. */
export function isDuplicateKey(error: unknown): boolean {
  if (error instanceof mongo.MongoBulkWriteError) {
    const failures = [error.writeErrors].flat();
    return (
      failures.length > 0 && failures.every((failure) => failure.code === DUPLICATE_KEY) && !error.result?.getWriteConcernError()
    );
  }
  return error instanceof mongo.MongoServerError && error.code === DUPLICATE_KEY && !error['writeConcernError'];
}

/**
 * True where the database did not answer, could not confirm or would not take anything from us now (no primary, a changed password, a full
 * disk, a quota, throttling): asking again later helps. False for a fault of just what was asked; of servers' codes only these few are one.
 */
export function isDatabaseOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof mongo.MongoServerError) return !FAULTS_OF_WHAT_WAS_ASKED.has(Number(error.code));
  // How the driver was called, but for one that is closed.
  if (error instanceof mongo.MongoAPIError)
    return error instanceof mongo.MongoNotConnectedError || error instanceof mongo.MongoTopologyClosedError;
  if (error instanceof mongo.MongoError) return true;
  const { name } = error as MongooseErrors;
  return (
    name === 'MongooseServerSelectionError' ||
    name === 'MongoNotConnectedError' ||
    (name === 'MongooseError' && /buffering timed out|not connected|before initial connection/i.test(error.message))
  );
}

/** What an exception says to the asker (docs/design.md, "Redrive"): an outage is passed on unchanged, all else is a fault of this one. */
export function faultOf(error: unknown): RpcFault {
  return error instanceof Unavailable || isDatabaseOutage(error) ? 'unavailable' : 'failed';
}

/** BadValue, FailedToParse, TypeMismatch, PathNotViable, ConflictingUpdateOperators, ImmutableField, DocumentValidationFailure, BSONObjectTooLarge, DuplicateKey (MongoDB's error_codes.yml). */
const FAULTS_OF_WHAT_WAS_ASKED: ReadonlySet<number> = new Set([2, 9, 14, 28, 40, 66, 121, 10_334, DUPLICATE_KEY]);
