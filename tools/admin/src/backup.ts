import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Connection, mongo } from 'mongoose';
import { backupsAmong, CHECKSUMS } from './backups.ts';
import { connectTo } from './database.ts';
import { syncFolder } from './files.ts';
import { databaseUri, Problem } from './settings.ts';

const PARTIAL = '.partial';
const TRANSACTION_IS_GONE = 251;

/**
 * Copies databases as they all are at one moment into a folder of their own in `folder`, whole or not at all, and keeps the newest `keep`.
 * The moment is a transaction's snapshot: nothing is locked, nobody waits, and no document claims what is not there
 * (docs/backup.md). The files are laid out as mongodump's.
 */
export async function backUp(folder: string, databases: readonly string[], keep: number): Promise<void> {
  const connection = await connectTo(databaseUri());
  try {
    const name = `${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
    const partial = join(folder, `${name}${PARTIAL}`);
    const sums = await atOneMoment(connection, async (session) => {
      const files: string[] = [];
      for (const database of databases) files.push(...(await copyDatabase(connection, database, partial, session)));
      return files;
    });
    await writeFile(join(partial, CHECKSUMS), sums.join(''), { flush: true });
    await syncFolder(partial);
    await rename(partial, join(folder, name));
    await syncFolder(folder);
    console.log(`${name} is complete`);
    await prune(folder, keep);
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

/** Copies a database's collections; their lines for the checksums. */
async function copyDatabase(
  connection: Connection,
  name: string,
  folder: string,
  session: mongo.ClientSession,
): Promise<string[]> {
  const database = connection.getClient().db(name);
  const collections = await database.listCollections({ type: 'collection' }, { nameOnly: true }).toArray();
  if (collections.length === 0) throw new Problem(`${name} has no collections: is it the name of the database?`);
  await mkdir(join(folder, name), { recursive: true });
  const lines: string[] = [];
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
    lines.push(`${hash.digest('hex')}  ${file}\n`);
    console.log(`${name}.${collection}: ${documents} documents`);
  }
  await syncFolder(join(folder, name));
  return lines;
}

async function prune(folder: string, keep: number): Promise<void> {
  const entries = await readdir(folder);
  const old = backupsAmong(entries).slice(0, -keep);
  for (const entry of [...old, ...entries.filter((name) => name.endsWith(PARTIAL))]) {
    await rm(join(folder, entry), { recursive: true });
    console.log(`${entry} is removed`);
  }
}
