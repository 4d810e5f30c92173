import { ConnectionString } from 'mongodb-connection-string-url';
import type { ConnectOptions } from 'mongoose';

/** What a `MONGODB_URI` may not say otherwise (docs/design.md, "Durability is set on the connection"). */
const FIXED = { w: 'majority', journal: 'true', j: 'true', readconcernlevel: 'majority', retrywrites: 'true' } as const;

/** What is wrong with a URI for a service of ours; empty if nothing is. */
export function uriProblems(uri: string): string[] {
  let url: ConnectionString;
  try {
    url = new ConnectionString(uri);
  } catch (error) {
    return [(error as Error).message];
  }
  const problems: string[] = [];
  if (url.pathname.length < 2) problems.push('must name the database: mongodb://host/smspay_<service>');
  for (const [name, value] of url.searchParams) {
    const fixed = FIXED[name.toLowerCase() as keyof typeof FIXED];
    if (fixed !== undefined && value !== fixed) problems.push(`${name} must be ${fixed} or absent, got ${value}`);
  }
  return problems;
}

/** Connections of one process. */
const POOL_MAX = 50;

/**
 * Durability, once for all writes and reads: majority and journalled, majority reads, retryable writes; 64-bit integers as `bigint`.
 * Indexes are made by `ensureIndexes`, never by the way.
 */
export const connectionOptions = {
  writeConcern: { w: 'majority', j: true },
  readConcern: { level: 'majority' },
  retryWrites: true,
  useBigInt64: true,
  autoIndex: false,
  autoCreate: false,
  serverSelectionTimeoutMS: 3_000,
  connectTimeoutMS: 3_000,
  // A reply that does not come within this is lost: the write is ambiguous, and looked up.
  socketTimeoutMS: 15_000,
  maxPoolSize: POOL_MAX,
  // What waits longer for one of them is an outage of this moment.
  waitQueueTimeoutMS: 5_000,
} as const satisfies ConnectOptions;
