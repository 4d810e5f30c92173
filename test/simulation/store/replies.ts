import type { Duplicate } from './collection.ts';
import { type Doc, type Value } from './values.ts';

/** What the server says of one statement that failed. */
export interface WriteError {
  index: number;
  code: number;
  errmsg: string;
  keyPattern?: Doc;
  keyValue?: Doc;
}

/** The server applied a write, or part of it, and says that it could not make sure of a majority. */
export interface WriteConcernProblem {
  code: number;
  codeName: string;
  errmsg: string;
  errInfo?: Doc;
}

/** As it comes over the wire. */
export interface WriteReply {
  ok: 1;
  n: number;
  nModified?: number;
  upserted?: { index: number; _id: Value }[];
  writeErrors?: WriteError[];
  writeConcernError?: WriteConcernProblem;
  errorLabels?: string[];
}

/** The whole command failed. */
export interface FailedReply {
  ok: 0;
  code: number;
  codeName: string;
  errmsg: string;
  errorLabels?: string[];
}

export type Reply = { ok: 1 } | FailedReply;

const DUPLICATE_KEY = 11_000;

/** As MongoDB says it; the code under test reads the index's name in it. */
export function duplicateKey(namespace: string, index: number, duplicate: Duplicate): WriteError {
  return { index, ...duplicateDetails(namespace, duplicate) };
}

export function duplicateDetails(namespace: string, { index: { name, key: keyPattern }, key: keyValue }: Duplicate) {
  const shown = Object.entries(keyValue).map(([path, value]) => `${path}: ${shownOf(value)}`);
  return {
    code: DUPLICATE_KEY,
    errmsg: `E11000 duplicate key error collection: ${namespace} index: ${name} dup key: { ${shown.join(', ')} }`,
    keyPattern,
    keyValue,
  };
}

function shownOf(value: Value): string {
  if (value instanceof Date) return `new Date(${value.getTime()})`;
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isInteger(value) && Math.abs(value) >= 2 ** 31 ? `${value}.0` : String(value);
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
}

/** The names of MongoDB's error codes, and what a server says with them. */
const CODES: Record<number, { codeName: string; errmsg: string }> = {
  13: { codeName: 'Unauthorized', errmsg: 'not authorized to execute this command' },
  18: { codeName: 'AuthenticationFailed', errmsg: 'Authentication failed.' },
  26: { codeName: 'NamespaceNotFound', errmsg: 'ns does not exist' },
  43: { codeName: 'CursorNotFound', errmsg: 'cursor id not found' },
  48: { codeName: 'NamespaceExists', errmsg: 'Collection already exists.' },
  64: { codeName: 'WriteConcernTimeout', errmsg: 'waiting for replication timed out' },
  85: { codeName: 'IndexOptionsConflict', errmsg: 'An equivalent index already exists with other options' },
  86: { codeName: 'IndexKeySpecsConflict', errmsg: 'An existing index has the same name as the requested index' },
  91: { codeName: 'ShutdownInProgress', errmsg: 'The server is in quiesce mode and will shut down' },
  189: { codeName: 'PrimarySteppedDown', errmsg: 'Primary stepped down while waiting for replication' },
  8000: { codeName: 'AtlasError', errmsg: 'you are over your space quota, using 512 MB of 512 MB' },
  10107: { codeName: 'NotWritablePrimary', errmsg: 'not primary' },
  11600: { codeName: 'InterruptedAtShutdown', errmsg: 'interrupted at shutdown' },
  11602: { codeName: 'InterruptedDueToReplStateChange', errmsg: 'operation was interrupted' },
  13435: { codeName: 'NotPrimaryNoSecondaryOk', errmsg: 'not primary and secondaryOk=false' },
  14031: { codeName: 'OutOfDiskSpace', errmsg: 'available disk space is less than required minimum' },
  16500: { codeName: 'RequestRateTooLarge', errmsg: 'Error=16500, RetryAfterMs=34, Details=TooManyRequests (429)' },
};

export function problemOf(code: number): { code: number; codeName: string; errmsg: string } {
  const known = CODES[code];
  if (!known) throw new Error(`the simulated store has no words for the code ${code}`);
  return { code, ...known };
}

/** Codes that a server labels RetryableWriteError where a write can be tried again (MongoDB's error_codes.yml, RetriableError). */
const RETRYABLE = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

export const isRetryable = (code: number) => RETRYABLE.has(code);

/** A command that failed as a whole, and did nothing. Of a write that the driver may send again the server says so. */
export function failed(code: number, canRetry: boolean, errmsg?: string): FailedReply {
  return {
    ok: 0,
    ...problemOf(code),
    ...(errmsg ? { errmsg } : {}),
    ...(canRetry && isRetryable(code) ? { errorLabels: ['RetryableWriteError', 'NoWritesPerformed'] } : {}),
  };
}
