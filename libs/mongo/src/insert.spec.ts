import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { realHost } from '#libs/runtime';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import mongoose, { type Connection, type Model } from 'mongoose';
import { connectionOptions } from './connection.ts';
import { isDatabaseOutage, isDuplicateKey } from './errors.ts';
import { ensureIndexes } from './indexes.ts';
import { insertOrRead, OtherIndexTaken } from './insert.ts';

interface Thing {
  _id: string;
  ref: number;
  amount?: bigint;
}

describe('a document under its id', () => {
  let server: MongoServer;
  let connection: Connection;
  let things: Model<Thing>;

  beforeAll(async () => {
    server = await startMongo();
    connection = await mongoose.createConnection(server.uri('insert'), connectionOptions).asPromise();
    const schema = new mongoose.Schema<Thing>(
      { _id: String, ref: Number, amount: BigInt },
      { versionKey: false, strict: 'throw' },
    ).index({ ref: 1 }, { unique: true });
    things = connection.model<Thing>('Thing', schema);
    await ensureIndexes(connection);
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  it('is inserted once, by whoever comes first; all others read it', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, ref) => insertOrRead(things, { _id: 'one', ref }, realHost)),
    );
    expect(results.filter(({ inserted }) => inserted)).toHaveLength(1);
    const winner = results.find(({ inserted }) => inserted)?.stored.ref;
    expect(new Set(results.map(({ stored }) => stored.ref))).toEqual(new Set([winner]));
  });

  it('says that another unique index has the value', async () => {
    await insertOrRead(things, { _id: 'two', ref: 100 }, realHost);
    await expect(insertOrRead(things, { _id: 'three', ref: 100 }, realHost)).rejects.toBeInstanceOf(OtherIndexTaken);
  });

  it('keeps money of 18 digits to the last one', async () => {
    const amount = 999_999_999_999_999_999n;
    await insertOrRead(things, { _id: 'rich', ref: 200, amount }, realHost);
    expect((await things.findById('rich').lean<Thing>())?.amount).toBe(amount);
  });

  it('that its schema refuses was never sent', async () => {
    await expect(insertOrRead(things, { _id: 'bad', ref: 'x' as unknown as number }, realHost)).rejects.toThrow(/Cast to Number/);
    expect(await things.exists({ _id: 'bad' })).toBeNull();
  });

  it('tells a duplicate key and an outage from a fault', async () => {
    const duplicate: unknown = await things.insertOne({ _id: 'two', ref: 300 }).catch((error: unknown) => error);
    expect([isDuplicateKey(duplicate), isDatabaseOutage(duplicate)]).toEqual([true, false]);
    const away = mongoose.createConnection('mongodb://127.0.0.1:1/away', { ...connectionOptions, serverSelectionTimeoutMS: 100 });
    const outage: unknown = await away.asPromise().catch((error: unknown) => error);
    expect([isDuplicateKey(outage), isDatabaseOutage(outage)]).toEqual([false, true]);
    expect([isDuplicateKey(new Error('x')), isDatabaseOutage(new TypeError('x'))]).toEqual([false, false]);
  });

  it('whose unique index is missing makes the service not ready', async () => {
    const other = connection.useDb('lacking', { useCache: false });
    const schema = new mongoose.Schema<Thing>({ _id: String, ref: Number }, { versionKey: false }).index(
      { ref: 1 },
      { unique: true },
    );
    other.model<Thing>('Lacking', schema);
    await other.collection('lackings').insertMany([{ ref: 1 }, { ref: 1 }]);
    await expect(ensureIndexes(other)).rejects.toThrow();
  });
});
