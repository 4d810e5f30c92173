import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import mongoose, { type Connection, type Model } from 'mongoose';
import { connectionOptions } from './connection.ts';
import { storeOver } from './version.ts';

interface Thing {
  _id: string;
  version: number;
  holders?: string[];
  until?: Date | undefined;
}

describe('a document that is changed as a whole', () => {
  let server: MongoServer;
  let connection: Connection;
  let things: Model<Thing>;
  beforeAll(async () => {
    server = await startMongo();
    connection = await mongoose.createConnection(server.uri('version'), connectionOptions).asPromise();
    const fields = { _id: String, version: Number, holders: [String], until: Date };
    things = connection.model<Thing>('Thing', new mongoose.Schema<Thing>(fields, { versionKey: false, strict: 'throw' }));
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  it('is stored by one of those who read the same version, the first one too', async () => {
    for (const version of [0, 1, 2]) {
      const stored = await Promise.all(
        ['a', 'b', 'c'].map((who) => storeOver(things, version, { _id: 'one', version: version + 1, holders: [who] })),
      );
      expect(stored.filter(Boolean)).toHaveLength(1);
      const winner = ['a', 'b', 'c'][stored.indexOf(true)];
      expect(await things.findById('one').lean()).toEqual({ _id: 'one', version: version + 1, holders: [winner] });
    }
    expect(await storeOver(things, 1, { _id: 'one', version: 2 })).toBe(false);
    expect(await storeOver(things, 7, { _id: 'none', version: 8 })).toBe(false);
  });

  it('loses what is not there any more, and nothing else', async () => {
    const until = new Date();
    await storeOver(things, 0, { _id: 'two', version: 1, holders: ['a'], until });
    await storeOver(things, 1, { _id: 'two', version: 2, until: undefined });
    expect(await things.findById('two').lean()).toEqual({ _id: 'two', version: 2, holders: ['a'] });
  });
});
