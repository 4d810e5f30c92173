import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Connection, mongo } from 'mongoose';
import { backupsIn, CHECKSUMS, nameOf, RESTORING } from './backups.ts';
import { connectTo } from './database.ts';
import { databaseUri, Problem } from './settings.ts';

const TRANSACTION_IS_GONE = 251;

/**
 * Copies databases as they all are at one moment into a folder of their own in `folder`, and keeps the newest `keep`.
 * The moment is a transaction's snapshot: nothing is locked, nobody waits, and no document claims what is not there
 * (docs/backup.md). The files are laid out as mongodump's.
 */
export async function backUp(folder: string, databases: readonly string[], keep: number): Promise<void> {
  const connection = await connectTo(databaseUri());
  try {
    const name = nameOf(new Date());
    const files = await atOneMoment(connection, async (session) => {
      const copied: Copied[] = [];
      for (const database of databases) copied.push(...(await copyDatabase(connection, database, join(folder, name), session)));
      return copied;
    });
    if (files.every(({ documents }) => documents === 0)) {
      // Of a cluster into which nothing was restored yet: it must not become the newest.
      console.log('the databases are empty: there is nothing to keep');
      await rm(join(folder, name), { recursive: true });
      return;
    }
    await writeFile(join(folder, name, CHECKSUMS), files.map(({ sum, file }) => `${sum}  ${file}\n`).join(''), { flush: true });
    console.log(`${name} is complete`);
    await prune(folder, name, keep);
  } catch (error) {
    if ((error as mongo.MongoServerError).code !== TRANSACTION_IS_GONE) throw error;
    throw new Problem(
      'the database gave up the snapshot before all was read: raise its parameter transactionLifetimeLimitSeconds (60 if not set)',
      { cause: error },
    );
  } finally {
    await connection.close();
  }
}

async function atOneMoment<T>(connection: Connection, read: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
  const session = connection.getClient().startSession();
  try {
    session.startTransaction({ readConcern: { level: 'snapshot' } });
    return await read(session);
  } finally {
    await session.endSession();
  }
}

interface Copied {
  file: string;
  documents: number;
  sum: string;
}

/** Copies a database's collections. */
async function copyDatabase(
  connection: Connection,
  name: string,
  folder: string,
  session: mongo.ClientSession,
): Promise<Copied[]> {
  const database = connection.getClient().db(name);
  const collections = await database.listCollections({ type: 'collection' }, { nameOnly: true }).toArray();
  if (collections.length === 0) throw new Problem(`${name} has no collections: is it the name of the database?`);
  if (collections.some((collection) => collection.name === RESTORING))
    throw new Problem(`a backup is being restored into ${name}`);
  await mkdir(join(folder, name), { recursive: true });
  const copied: Copied[] = [];
  for (const { name: collection } of collections) {
    const file = join(name, `${collection}.bson.gz`);
    const hash = createHash('sha256');
    let documents = 0;
    // `raw`: the bytes of each document, which the types do not say.
    const raw = database.collection(collection).find({}, { session, raw: true }) as unknown as AsyncIterable<Uint8Array>;
    await pipeline(
      raw,
      async function* (all: AsyncIterable<Uint8Array>) {
        for await (const document of all) {
          documents++;
          yield document;
        }
      },
      createGzip(),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(join(folder, file), { flush: true }),
    );
    copied.push({ file, documents, sum: hash.digest('hex') });
    console.log(`${name}.${collection}: ${documents} documents`);
  }
  return copied;
}

/** Removes what is older than the newest `keep`, and what an earlier one left that was not completed. */
async function prune(folder: string, newest: string, keep: number): Promise<void> {
  const backups = backupsIn(folder);
  const kept = new Set(
    backups
      .filter(({ isComplete }) => isComplete)
      .slice(-keep)
      .map(({ name }) => name),
  );
  for (const { name } of backups) {
    if (kept.has(name) || name > newest) continue;
    await rm(join(folder, name), { recursive: true });
    console.log(`${name} is removed`);
  }
}
