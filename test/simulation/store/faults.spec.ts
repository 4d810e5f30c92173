import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectionOptions, isDatabaseOutage, isDuplicateKey } from '#libs/mongo';
import mongoose, { type Connection, mongo } from 'mongoose';
import { type Faults, noFaults } from './faults.ts';
import { problemOf } from './replies.ts';
import { realMongoose, realStore, shapeOf, type Store, StoreWorld, thrownBy } from './stores.spec-helper.ts';
import { compare } from './values.ts';
import { type Fate, type WireCommand, WireProxy } from './wire-proxy.spec-helper.ts';

type Loose = { _id: string } & Record<string, unknown>;
type Things = mongo.Collection<Loose>;
type OnCall = (world: StoreWorld, what: string) => void;

/** What came of a work, and what lies there then. */
interface Tried {
  outcome: unknown;
  left: unknown;
}

const thingsOf = (connection: Connection) => connection.db?.collection<Loose>('things') as Things;

const WRITES = new Set(['insert', 'update', 'delete']);
const READS = new Set(['find', 'aggregate', 'ping']);

/** What is tried while something is wrong. */
const WORKS = {
  insertOne: (things: Things) => things.insertOne({ _id: 'one' }),
  insertMany: (things: Things) => things.insertMany([{ _id: 'many' }, { _id: 'more' }]),
  updateOne: (things: Things) => things.updateOne({ _id: 'there' }, { $inc: { count: 1 } } as never),
  updateMany: (things: Things) => things.updateMany({ _id: 'there' }, { $inc: { count: 1 } } as never),
  deleteOne: (things: Things) => things.deleteOne({ _id: 'there' }),
  findOne: (things: Things) => things.findOne({ _id: 'there' }),
  find: (things: Things) => things.find({ _id: 'there' }).toArray(),
  countDocuments: (things: Things) => things.countDocuments({ _id: 'there' }),
  duplicate: (things: Things) => things.insertOne({ _id: 'there' }),
  duplicates: (things: Things) => things.insertMany([{ _id: 'there' }]),
};
type Work = keyof typeof WORKS;
const ALL_WRITES: Work[] = ['insertOne', 'insertMany', 'updateOne', 'updateMany', 'deleteOne'];
const ALL_READS: Work[] = ['findOne', 'find', 'countDocuments'];

/**
 * Each fault twice: the real driver meets it on the wire, in front of a real server, and the simulated store makes it. What comes of it must
 * look the same to the code, and to be told as the same by it.
 */
describe('a fault of the simulated store looks like one that the real driver makes of', () => {
  let server: Store;
  let real: mongoose.Mongoose;
  let client: mongo.MongoClient;
  let databases = 0;

  beforeAll(async () => {
    server = await realStore();
    real = realMongoose();
    client = (await server.connect('faults')).getClient() as mongo.MongoClient;
  });
  afterAll(() => server.stop());

  /** A database and a proxy of its own each time. */
  async function tried(work: Work, fateOf: (command: WireCommand) => Fate): Promise<Tried> {
    const database = `faults_${++databases}`;
    const clean = client.db(database).collection<Loose>('things');
    await clean.insertOne({ _id: 'there', count: 0 });
    const proxy = await WireProxy.start(server.port);
    const connection = await connected(proxy, database);
    proxy.fateOf = fateOf;
    const outcome = await WORKS[work](thingsOf(connection)).catch((error: unknown) => error);
    proxy.fateOf = () => 'passes';
    await connection.close();
    await proxy.stop();
    return { outcome, left: await clean.find().sort({ _id: 1 }).toArray() };
  }

  function connected(proxy: WireProxy, database: string, options: mongoose.ConnectOptions = {}): Promise<Connection> {
    const uri = `mongodb://127.0.0.1:${proxy.port}/${database}?directConnection=true`;
    return real.createConnection(uri, { ...connectionOptions, ...options }).asPromise();
  }

  async function simulated(work: Work, faults: Partial<Faults>, onCall: OnCall = () => undefined): Promise<Tried> {
    const world = new StoreWorld();
    const things = thingsOf(await world.connect('faults'));
    await world.run(() => things.insertOne({ _id: 'there', count: 0 }));
    Object.assign(world.mongo.faults, faults);
    for (const caller of world.callers) caller.onCall = (what) => onCall(world, what);
    const outcome = await world.run(() => WORKS[work](things).catch((error: unknown) => error));
    // What was carried out after its client gave it up too.
    await world.pass(10_000);
    const left = world.mongo
      .documents('faults', 'things')
      .toSorted((one, other) => compare(one['_id'] ?? '', other['_id'] ?? ''));
    world.mongo.forget();
    return { outcome, left };
  }

  /** Each of some works meets the fault here and there. */
  const meet = (works: Work[], faults: Partial<Faults>, fateOf: () => (command: WireCommand) => Fate, onCall?: OnCall) =>
    Promise.all(works.map(async (work) => same(work, await simulated(work, faults, onCall), await tried(work, fateOf()))));

  function same(work: Work, one: Tried, other: Tried): void {
    const tell = ({ outcome, left }: Tried) => ({
      work,
      ...(outcome instanceof Error
        ? { error: shapeOf(outcome), isDuplicateKey: isDuplicateKey(outcome), isDatabaseOutage: isDatabaseOutage(outcome) }
        : { outcome }),
      left,
    });
    expect(tell(one)).toEqual(tell(other));
  }

  const labels = ({ retries }: WireCommand, code: number) =>
    retries && [91, 189, 10_107, 11_600, 11_602].includes(code)
      ? { errorLabels: ['RetryableWriteError', 'NoWritesPerformed'] }
      : {};

  it.each([13, 18, 14_031, 8_000, 16_500, 189, 10_107, 11_602, 91, 11_600])('a command that fails with code %i', async (code) => {
    const writesFail = (command: WireCommand): Fate =>
      WRITES.has(command.name) ? { is: { ok: 0, ...problemOf(code), ...labels(command, code) } } : 'passes';
    await meet(ALL_WRITES, { failing: { code, of: 'writes' } }, () => writesFail);
    const readsFail = ({ name }: WireCommand): Fate => (READS.has(name) ? { is: { ok: 0, ...problemOf(code) } } : 'passes');
    await meet(ALL_READS, { failing: { code, of: 'all' } }, () => readsFail);
  });

  it.each([14_031, 16_500])('a write in a command that fails with code %i', async (code) => {
    const { errmsg } = problemOf(code);
    const fate = ({ name }: WireCommand): Fate =>
      WRITES.has(name) ? { is: { ok: 1, n: 0, writeErrors: [{ index: 0, code, errmsg }] } } : 'passes';
    await meet(ALL_WRITES, { failing: { code, of: 'writes', as: 'write_error' } }, () => fate);
  });

  describe.each([64, 91, 189, 11_600, 11_602] as const)('a write of which the server is not sure, code %i', (code) => {
    const unsure = (command: WireCommand) => ({
      writeConcernError: problemOf(code),
      ...(command.retries && code !== 64 ? { errorLabels: ['RetryableWriteError'] } : {}),
    });

    it('with all that it says beside', async () => {
      const fate = (command: WireCommand): Fate => (WRITES.has(command.name) ? { gets: unsure(command) } : 'passes');
      const faults = { writeConcernErrors: { part: 1, code, hidesDuplicates: false } };
      await meet([...ALL_WRITES, 'duplicate', 'duplicates'], faults, () => fate);
    });

    it('a duplicate of which it says nothing else', async () => {
      const fate = (command: WireCommand): Fate =>
        WRITES.has(command.name) ? { gets: { ...unsure(command), writeErrors: undefined } } : 'passes';
      const faults = { writeConcernErrors: { part: 1, code, hidesDuplicates: true } };
      await meet(['duplicate', 'duplicates'], faults, () => fate);
      expect(isDuplicateKey((await simulated('duplicate', faults)).outcome)).toBe(false);
    });
  });

  describe('a connection that breaks', () => {
    const all = [...ALL_WRITES, ...ALL_READS];
    const cuts = (fate: Fate, times: number) => () => {
      let left = times;
      return ({ name }: WireCommand): Fate => ((WRITES.has(name) || READS.has(name)) && left-- > 0 ? fate : 'passes');
    };
    const heals: OnCall = (world, what) => {
      if (what.endsWith('find a server')) Object.assign(world.mongo.faults, noFaults());
    };

    it('after a request, and again', () => meet(all, { lostReplies: 1 }, cuts('loses its reply', 2)));
    it('before a request, and again', () => meet(all, { lostRequests: 1 }, cuts('is cut off', 2)));
    it('after a request, once', () => meet(all, { lostReplies: 1 }, cuts('loses its reply', 1), heals));
    it('before a request, once', () => meet(all, { lostRequests: 1 }, cuts('is cut off', 1), heals));
  });

  describe('nobody who listens', () => {
    const patience = { serverSelectionTimeoutMS: 300 };

    it('when a connection is opened', async () => {
      const world = new StoreWorld();
      world.mongo.goAway();
      const here = await thrownBy(world.connect('faults', 'wallet-1', patience));
      const uri = 'mongodb://127.0.0.1:1/faults';
      const there = await thrownBy(real.createConnection(uri, { ...connectionOptions, ...patience }).asPromise());
      expect(shapeOf(here)).toEqual(shapeOf(there));
      expect([isDatabaseOutage(here), isDatabaseOutage(there)]).toEqual([true, true]);
      world.mongo.forget();
    });

    it.each(['insertOne', 'insertMany', 'updateMany', 'findOne', 'countDocuments'] as Work[])('to %s', async (work) => {
      const proxy = await WireProxy.start(server.port);
      const connection = await connected(proxy, 'away', patience);
      await proxy.stop();
      // The first operation finds out.
      await thrownBy(thingsOf(connection).findOne());
      const there = await thrownBy(WORKS[work](thingsOf(connection)));
      await connection.close();

      const world = new StoreWorld();
      const things = thingsOf(await world.connect('away', 'wallet-1', patience));
      world.mongo.goAway();
      await world.run(() => thrownBy(things.findOne()));
      const beganMs = world.scheduler.nowMs;
      const here = await world.run(() => thrownBy(WORKS[work](things)));
      expect(world.scheduler.nowMs - beganMs).toBeGreaterThanOrEqual(patience.serverSelectionTimeoutMS);
      expect(shapeOf(here)).toEqual(shapeOf(there));
      expect(isDatabaseOutage(here)).toBe(isDatabaseOutage(there));
      world.mongo.forget();
    });

    it('to answer what is under way', async () => {
      const proxy = await WireProxy.start(server.port);
      const connection = await connected(proxy, 'away', patience);
      proxy.fateOf = ({ name }) => {
        if (name !== 'insert') return 'passes';
        void proxy.stop();
        return 'is cut off';
      };
      const there = await thrownBy(WORKS.insertOne(thingsOf(connection)));
      await connection.close();

      const world = new StoreWorld();
      const things = thingsOf(await world.connect('away', 'wallet-1', patience));
      world.mongo.loseMajority();
      world.scheduler.after(5, () => world.mongo.goAway());
      const here = await world.run(() => thrownBy(WORKS.insertOne(things)));
      expect(shapeOf(here)).toEqual(shapeOf(there));
      world.mongo.forget();
    });
  });
});
