import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import mongoose from 'mongoose';
import { setUpDatabase } from './set-up.ts';

const UNAUTHORIZED = { code: 13 };
const AUTHENTICATION_FAILED = { code: 18 };

describe('the database of a release', () => {
  const home = mkdtempSync(join(tmpdir(), 'smspay-cluster-database-'));
  const keyFile = join(home, 'key');
  let server: MongoServer;
  const host = () => `127.0.0.1:${server.port}`;
  const uriOf = (user: string, database: string) => `mongodb://${user}@${host()}/${database}?directConnection=true`;
  const setUp = (root: string, ...users: string[]) => setUpDatabase(host(), uriOf(root, 'admin'), users);
  /** Inserts one document by the URI, into the database of the name. */
  async function insert(uri: string, database: string) {
    const client = new mongoose.mongo.MongoClient(uri);
    try {
      await client.db(database).collection('things').insertOne({});
      return 'inserted';
    } finally {
      await client.close();
    }
  }

  beforeAll(async () => {
    writeFileSync(keyFile, 'MDEyMzQ1Njc4OTAxMjM0NTY3ODkw', { mode: 0o400 });
    server = await startMongo({ keyFile });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  it('gives each service its own database and no other, and nobody anything without a login', async () => {
    const wallet = uriOf('wallet:1', 'smspay_wallet');
    // As if it had ended after the first user.
    await setUp('root:r%2F1');
    await setUp('root:r%2F1', wallet, uriOf('sms-gateway:2', 'smspay_sms_gateway'));
    await expect(insert(wallet, 'smspay_wallet')).resolves.toBe('inserted');
    await expect(insert(wallet, 'smspay_sms_gateway')).rejects.toMatchObject(UNAUTHORIZED);
    await expect(insert(`mongodb://${host()}/?directConnection=true`, 'smspay_wallet')).rejects.toMatchObject(UNAUTHORIZED);
  });

  it('gives the user of admin what a backup of all and its restore need', async () => {
    const backup = uriOf('backup:3', 'admin');
    await setUp('root:r%2F1', backup);
    const client = new mongoose.mongo.MongoClient(backup);
    const things = client.db('smspay_wallet').collection('things');
    await things.insertOne({});
    await client.withSession(async (session) => {
      session.startTransaction({ readConcern: { level: 'snapshot' } });
      expect(await things.find({}, { session }).toArray()).not.toEqual([]);
    });
    expect(await client.db('smspay_wallet').listCollections().toArray()).not.toEqual([]);
    await client.db('smspay_wallet').dropCollection('things');
    await client.close();
  });

  it('waits for a mongod that is not there yet', async () => {
    const { port } = server;
    await server.stop();
    const waiting = setUp('root:r%2F1');
    // Longer than a client looks for a server.
    await expect(Promise.race([waiting, pause(4_000, 'waits')])).resolves.toBe('waits');
    server = await startMongo({ port, keyFile });
    await waiting;
  });

  it('changes nothing when it runs again, but a password to the one of the URI', async () => {
    const [old, changed] = [uriOf('transactions:1', 'smspay_transactions'), uriOf('transactions:2', 'smspay_transactions')];
    await setUp('root:r%2F1', old);
    await setUp('root:r%2F1', old);
    await expect(insert(old, 'smspay_transactions')).resolves.toBe('inserted');
    await setUp('root:r%2F1', changed);
    await expect(insert(changed, 'smspay_transactions')).resolves.toBe('inserted');
    await expect(insert(old, 'smspay_transactions')).rejects.toMatchObject(AUTHENTICATION_FAILED);
  });

  it('says so when the Secret is not that of the data', async () => {
    await setUp('root:r%2F1');
    await expect(setUp('root:another')).rejects.toThrow('the database has users, and its root another password than the Secret');
  });
});
