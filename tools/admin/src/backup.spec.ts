import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import mongoose, { type mongo } from 'mongoose';
import { run } from './admin.spec-helper.ts';

const { Binary, Decimal128, Double, Int32, Long, MongoClient, ObjectId, Timestamp } = mongoose.mongo;

let server: MongoServer;
let client: mongo.MongoClient;
const home = mkdtempSync(join(tmpdir(), 'smspay-backups-'));

// Of each test: databases and a folder of its own.
let one: string;
let other: string;
let folder: string;
const collection = (database: string, name: string) => client.db(database).collection<{ _id: number; of?: unknown }>(name);
const admin = (args: string) => run(args, { MONGODB_URI: server.uri(one) });
const backUp = (more = '') => admin(`backup ${folder} --databases ${one} ${other}${more}`);
const restore = (name = '') => admin(`restore ${folder}${name}`);
const lose = () => Promise.all([client.db(one).dropDatabase(), client.db(other).dropDatabase()]);
const backups = () => readdirSync(folder).sort();

beforeAll(async () => {
  server = await startMongo();
  client = await new MongoClient(server.uri('admin')).connect();
}, 120_000);

afterAll(async () => {
  await client?.close();
  await server?.stop();
  rmSync(home, { recursive: true });
});

beforeEach(() => {
  const test = randomUUID().slice(0, 8);
  [one, other, folder] = [`one_${test}`, `other_${test}`, join(home, test)];
  mkdirSync(folder);
});

describe('admin backup and restore', () => {
  it('bring back all databases as they were at one moment, whatever was written meanwhile', async () => {
    const ending = new AbortController();
    let written = 0;
    // What lies in `other` claims that its like lies in `one`: a copy of one after the other, each as it then is, would break that.
    const write = async () => {
      while (!ending.signal.aborted) {
        const _id = ++written;
        await collection(one, 'things').insertOne({ _id });
        await collection(other, 'claims').insertOne({ _id });
      }
    };
    const writers = [write(), write(), write()];
    let done;
    try {
      await collection(one, 'things').insertMany(Array.from({ length: 5_000 }, (_, n) => ({ _id: -n })));
      done = await backUp();
    } finally {
      ending.abort();
      await Promise.all(writers);
    }
    expect(done).toMatchObject({ code: 0, printed: expect.stringMatching(/Z is complete\n$/) });
    await lose();
    expect(await restore()).toMatchObject({ code: 0 });

    const idsIn = async (database: string, name: string) =>
      new Set((await collection(database, name).find().toArray()).map(({ _id }) => _id));
    const [things, claims] = [await idsIn(one, 'things'), await idsIn(other, 'claims')];
    expect(claims.size).toBeGreaterThan(0);
    expect(claims.size).toBeLessThan(written);
    expect([...claims].filter((id) => !things.has(id))).toEqual([]);
  });

  it('bring back each value with the very type it had', async () => {
    const values = [1n, new Long(1), new Int32(1), new Double(1), new Double(-0), 0.5, Decimal128.fromString('1.10'), 'ü', null];
    const more = [new Date(0), new ObjectId(), new Binary(Buffer.from('x')), true, [{ a: [] }], /x/i, new Timestamp(1n)];
    await collection(one, 'things').insertMany([...values, ...more].map((of, _id) => ({ _id, of })));
    await collection(other, 'claims').insertOne({ _id: 1 });
    const bytes = async () =>
      (await collection(one, 'things').find({}, { raw: true }).sort({ _id: 1 }).toArray()).map((raw) =>
        Buffer.from(raw as unknown as Uint8Array).toString('hex'),
      );
    const before = await bytes();
    await backUp();
    await lose();
    expect((await restore()).code).toBe(0);
    expect(await bytes()).toEqual(before);
    expect(before).toHaveLength(values.length + more.length);
  });

  it('leave files that sha256sum and gzip find whole, of the newest backups alone', async () => {
    await collection(one, 'things').insertOne({ _id: 1 });
    await collection(other, 'claims').insertOne({ _id: 1 });
    const olds = {
      '2026-01-01T00-00-00Z': 'SHA256SUMS',
      '2026-01-02T00-00-00Z': 'SHA256SUMS',
      '2026-01-03T00-00-00Z': 'not complete',
    };
    for (const [old, file] of Object.entries(olds)) {
      mkdirSync(join(folder, old));
      appendFileSync(join(folder, old, file), '');
    }
    expect((await backUp(' --keep 2')).code).toBe(0);
    const [kept, made = ''] = backups();
    expect(backups()).toHaveLength(2);
    expect(kept).toBe('2026-01-02T00-00-00Z');
    const check = execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: join(folder, made), encoding: 'utf8' });
    expect(check).toBe(`${one}/things.bson.gz: OK\n${other}/claims.bson.gz: OK\n`);
  });

  it('leave nothing of databases that are empty, or half restored', async () => {
    for (const database of [one, other]) await client.db(database).createCollection('things');
    expect(await backUp()).toMatchObject({ code: 0, printed: expect.stringContaining('there is nothing to keep') });
    expect(backups()).toEqual([]);
    await client.db(one).createCollection('restoring');
    expect(await backUp()).toMatchObject({ code: 1, printed: `a backup is being restored into ${one}\n` });
  });

  it('refuse databases that are not empty, and go on where a restore stopped', async () => {
    await collection(one, 'things').insertMany([{ _id: 1 }, { _id: 2 }]);
    await collection(other, 'claims').insertOne({ _id: 1 });
    await backUp();
    expect(await restore()).toMatchObject({ code: 1, printed: expect.stringContaining(`${one} has documents in things`) });

    await lose();
    await collection(one, 'things').insertOne({ _id: 2 });
    const [name = ''] = backups();
    for (const database of [one, other])
      await client.db(database).collection<{ _id: string }>('restoring').insertOne({ _id: name });
    expect((await restore(` ${name}`)).code).toBe(0);
    expect(await collection(one, 'things').countDocuments()).toBe(2);
    expect((await client.db(one).listCollections().toArray()).map((each) => each.name)).toEqual(['things']);
  });

  it('refuse what is damaged, not there or not complete, and write nothing then', async () => {
    expect(await restore()).toEqual({ code: 1, printed: `there is no backup in ${folder}\n` });
    await collection(one, 'things').insertOne({ _id: 1 });
    expect(await backUp()).toMatchObject({ code: 1, printed: expect.stringContaining(`${other} has no collections`) });
    expect(await restore()).toMatchObject({ code: 1 });

    await collection(other, 'claims').insertOne({ _id: 1 });
    await backUp();
    await lose();
    expect(await restore(' 2026-01-01T00-00-00Z')).toMatchObject({
      code: 1,
      printed: expect.stringContaining('is no complete backup'),
    });
    const [name = ''] = backups();
    appendFileSync(join(folder, name, other, 'claims.bson.gz'), 'x');
    expect(await restore()).toMatchObject({ code: 1, printed: expect.stringContaining('claims.bson.gz is damaged') });
    expect(await client.db(one).listCollections().toArray()).toEqual([]);
  });
});
