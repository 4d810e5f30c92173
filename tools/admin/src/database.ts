import { connectionOptions } from '#libs/mongo';
import mongoose, { type Connection } from 'mongoose';
import { Problem } from './settings.ts';

/** A connection of its own to a database, as the services have it: majority writes and reads, 64-bit integers as `bigint`. */
export async function connectTo(uri: string): Promise<Connection> {
  try {
    return await mongoose.createConnection(uri, connectionOptions).asPromise();
  } catch (error) {
    throw new Problem(`MONGODB_URI: the database does not answer: ${(error as Error).message}`, { cause: error });
  }
}
