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

/** True where the database did not answer or could not confirm: asking again later helps. False for a fault of what was asked. */
export function isDatabaseOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof mongo.MongoWriteConcernError) return true;
  if (error instanceof mongo.MongoServerError)
    return (
      error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('TransientTransactionError') || isStateChange(error.code)
    );
  if (error instanceof mongo.MongoError) return true;
  const { name } = error as MongooseErrors;
  return (
    name === 'MongooseServerSelectionError' ||
    name === 'MongoNotConnectedError' ||
    (name === 'MongooseError' && /buffering timed out|not connected|before initial connection/i.test(error.message))
  );
}

/** "Not primary", "shutting down" and their kin (MongoDB's error_codes.yml). */
const isStateChange = (code: unknown) => [6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436].includes(Number(code));
