import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { isDuplicateKey } from '#libs/mongo';
import mongoose, { type mongo } from 'mongoose';
import { backupsIn, CHECKSUMS, RESTORING } from './backups.ts';
import { connectTo } from './database.ts';
import { databaseUri, Problem } from './settings.ts';

const BATCH = 500;

/**
 * Brings back a backup in `folder`, the newest if none is named, into databases that are empty. What stopped half-way goes on when it is
 * repeated. No service may run meanwhile; each makes its indexes when it starts.
 */
export async function restore(folder: string, given?: string): Promise<void> {
  const name = given ?? backupsIn(folder).findLast(({ isComplete }) => isComplete)?.name;
  if (!name) throw new Problem(`there is no backup in ${folder}`);
  const from = join(folder, name);
  const files = await checkedFiles(from);
  console.log(`${name} is as it was written`);
  const connection = await connectTo(databaseUri());
  try {
    const databases = [...new Set(files.map(({ database }) => database))].map((each) => connection.getClient().db(each));
    for (const database of databases) await mustBeEmpty(database, name);
    for (const database of databases) {
      await database.collection<{ _id: string }>(RESTORING).replaceOne({ _id: name }, {}, { upsert: true });
    }
    for (const { database, collection, path } of files) {
      const documents = await fill(connection.getClient().db(database).collection(collection), path);
      console.log(`${database}.${collection}: ${documents} documents`);
    }
    for (const database of databases) await database.dropCollection(RESTORING);
    console.log(`${name} is restored; start the services, and when they are ready run admin verify`);
  } finally {
    await connection.close();
  }
}

interface BackupFile {
  path: string;
  database: string;
  collection: string;
}

/** The files of a backup, each as its checksum says. */
async function checkedFiles(from: string): Promise<BackupFile[]> {
  const sums = await readFile(join(from, CHECKSUMS), 'utf8').catch((error: Error) => {
    throw new Problem(`${from} is no complete backup: ${error.message}`, { cause: error });
  });
  const files: BackupFile[] = [];
  for (const line of sums.split('\n').slice(0, -1)) {
    const [, sum, database, collection] = /^([0-9a-f]{64}) {2}([^/]+)\/(.+)\.bson\.gz$/.exec(line) ?? [];
    if (!sum || !database || !collection) throw new Problem(`${join(from, CHECKSUMS)}: cannot be read: ${line}`);
    const path = join(from, database, `${collection}.bson.gz`);
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash).catch((error: Error) => {
      throw new Problem(`${path} cannot be read: ${error.message}`, { cause: error });
    });
    if (hash.digest('hex') !== sum) throw new Problem(`${path} is damaged: its checksum is another`);
    files.push({ path, database, collection });
  }
  return files;
}

async function mustBeEmpty(database: mongo.Db, backup: string): Promise<void> {
  if (await database.collection<{ _id: string }>(RESTORING).findOne({ _id: backup })) return;
  for (const { name } of await database.listCollections({}, { nameOnly: true }).toArray()) {
    if (await database.collection(name).findOne())
      throw new Problem(`${database.databaseName} has documents in ${name}: a backup is restored into empty databases alone`);
  }
}

/** Inserts what a file has and the collection has not. How many documents the file has. */
async function fill(collection: mongo.Collection, path: string): Promise<number> {
  let count = 0;
  for await (const batch of batchesOf(createReadStream(path).pipe(createGunzip()))) {
    await collection.insertMany(batch, { ordered: false }).catch((error: unknown) => {
      // An earlier try stored it.
      if (!isDuplicateKey(error)) throw error;
    });
    count += batch.length;
  }
  return count;
}

/** The documents of a file of BSON, one after the other, their values with the very types they had. */
async function* batchesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<mongo.Document[]> {
  let rest: Buffer = Buffer.alloc(0);
  let batch: mongo.Document[] = [];
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 4 && rest.length - at >= rest.readInt32LE(at)) {
      const end = at + rest.readInt32LE(at);
      batch.push(mongoose.mongo.BSON.deserialize(rest.subarray(at, end), { promoteValues: false }));
      at = end;
      if (batch.length === BATCH) {
        yield batch;
        batch = [];
      }
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new Problem('a file ends within a document');
  if (batch.length > 0) yield batch;
}
