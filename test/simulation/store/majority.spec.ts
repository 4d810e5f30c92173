import { describe, expect, it } from '@jest/globals';
import { connectionOptions, isDatabaseOutage, isDuplicateKey } from '#libs/mongo';
import mongoose, { type Connection, mongo } from 'mongoose';
import { Chance } from '../chance.ts';
import { noFaults } from './faults.ts';
import { PlainCaller, shapeOf, StoreWorld, thrownBy } from './stores.spec-helper.ts';

type Loose = { _id: string; count?: number } & Record<string, unknown>;
type Things = mongo.Collection<Loose>;

const thingsOf = (connection: Connection) => connection.db?.collection<Loose>('things') as Things;

/** A world with some clients of one collection. */
async function worldOf(clients: number, seed = 1) {
  const world = new StoreWorld(seed);
  const all: Things[] = [];
  for (let n = 1; n <= clients; n++) all.push(thingsOf(await world.connect('smspay', `client-${n}`)));
  const [things, other] = all as [Things, Things];
  return { world, mongo: world.mongo, things, other, all };
}

/** How a promise stands: `waits` until it has an outcome. */
function watched<T>(work: Promise<T>) {
  const state: { outcome: unknown } = { outcome: 'waits' };
  work.then(
    (value) => (state.outcome = value),
    (error: unknown) => (state.outcome = error),
  );
  return state;
}

const LONG_MS = 5_000;

describe('a majority', () => {
  it('has a write before it is acknowledged, and a read sees it not sooner', async () => {
    const { world, mongo, things, other } = await worldOf(2);
    mongo.loseMajority();
    const insert = watched(things.insertOne({ _id: 'a' }));
    await world.pass(LONG_MS);
    expect(insert.outcome).toBe('waits');
    expect(mongo.uncommitted).toBe(1);
    expect(mongo.documents('smspay', 'things')).toEqual([]);
    expect(await world.run(() => other.findOne({ _id: 'a' }))).toBeNull();
    mongo.haveMajority();
    await world.pass(LONG_MS);
    expect(insert.outcome).toMatchObject({ acknowledged: true });
    expect(mongo.uncommitted).toBe(0);
    expect(mongo.documents('smspay', 'things')).toEqual([{ _id: 'a' }]);
    expect(await world.run(() => other.findOne({ _id: 'a' }))).toEqual({ _id: 'a' });
  });

  it('need not have what a conditional update decides on', async () => {
    const { world, mongo, things, other } = await worldOf(2);
    await world.run(() => things.insertOne({ _id: 'a', count: 0 }));
    mongo.loseMajority();
    const first = watched(things.updateOne({ _id: 'a', count: 0 }, { $set: { count: 1 } }));
    const second = watched(other.updateOne({ _id: 'a', count: 0 }, { $set: { count: 2 } }));
    await world.pass(LONG_MS);
    // Who changes nothing waits too, until what kept it from it is sure.
    expect([first.outcome, second.outcome]).toEqual(['waits', 'waits']);
    mongo.haveMajority();
    await world.pass(LONG_MS);
    expect([first.outcome, second.outcome]).toEqual([
      expect.objectContaining({ modifiedCount: 1 }),
      expect.objectContaining({ modifiedCount: 0 }),
    ]);
  });

  it('has what is in the way before a duplicate is told, unless the server is hasty', async () => {
    const { world, mongo, things, other } = await worldOf(2);
    mongo.loseMajority();
    void things.insertOne({ _id: 'a' });
    const patient = watched(other.insertOne({ _id: 'a' }));
    await world.pass(LONG_MS);
    expect(patient.outcome).toBe('waits');
    mongo.hastyDuplicates = 1;
    const hasty = await world.run(() => thrownBy(other.insertOne({ _id: 'a' })));
    expect(isDuplicateKey(hasty)).toBe(true);
    expect(await world.run(() => other.findOne({ _id: 'a' }))).toBeNull();
    mongo.haveMajority();
    await world.pass(LONG_MS);
    expect(isDuplicateKey(patient.outcome)).toBe(true);
    expect(await world.run(() => other.findOne({ _id: 'a' }))).toEqual({ _id: 'a' });
  });

  it('gets all writes in their order, and whoever watches is told each change of a document', async () => {
    const { world, mongo, all } = await worldOf(3, 7);
    const changes: [string, unknown, unknown][] = [];
    mongo.onCommit((database, collection, before, after) => changes.push([`${database}.${collection}`, before, after]));
    await world.run(async () => {
      await all[0]?.insertOne({ _id: 'a', count: 0 });
      await Promise.all(
        all.map(async (things) => {
          for (let n = 0; n < 20; n++) await things.updateOne({ _id: 'a' }, { $inc: { count: 1 } } as never);
        }),
      );
      await all[1]?.deleteOne({ _id: 'a' });
    });
    expect(changes[0]).toEqual(['smspay.things', undefined, { _id: 'a', count: 0 }]);
    expect(changes.slice(1, -1).map(([, before, after]) => [before, after])).toEqual(
      Array.from({ length: 60 }, (_, count) => [
        { _id: 'a', count },
        { _id: 'a', count: count + 1 },
      ]),
    );
    expect(changes.at(-1)).toEqual(['smspay.things', { _id: 'a', count: 60 }, undefined]);
  });

  it('is waited for as long as the driver waits for a reply', async () => {
    const { world, mongo, things } = await worldOf(1);
    mongo.loseMajority();
    const beganMs = world.scheduler.nowMs;
    const error = await world.run(() => thrownBy(things.insertOne({ _id: 'a' })));
    // Two attempts of 15 s.
    expect(Math.round((world.scheduler.nowMs - beganMs) / 1_000)).toBe(30);
    expect(shapeOf(error)).toMatchObject({ class: 'MongoNetworkTimeoutError', labels: ['RetryableWriteError'] });
    expect(isDatabaseOutage(error)).toBe(true);
    mongo.haveMajority();
    await world.pass(LONG_MS);
    expect(mongo.documents('smspay', 'things')).toEqual([{ _id: 'a' }]);
  });
});

describe('when the primary steps down', () => {
  it.each([true, false])(
    'the end of what no majority has may be lost, and whoever waits is served by the next (crash: %s)',
    async (isCrash) => {
      const ends = { kept: 0, lost: 0 };
      for (let seed = 1; seed <= 20; seed++) {
        const { world, mongo, things, all } = await worldOf(4, seed);
        await world.run(() => things.insertOne({ _id: 'sure' }));
        mongo.loseMajority();
        const waiting = all.map((client, n) => watched(client.insertOne({ _id: `n${n}`, count: 1 })));
        await world.pass(20);
        expect(mongo.uncommitted).toBe(4);
        const lost = mongo.stepDown({ isCrash, electionMs: 1_000 });
        ends.lost += lost;
        ends.kept += 4 - lost;
        mongo.haveMajority();
        expect(mongo.documents('smspay', 'things')).toEqual([{ _id: 'sure' }]);
        await world.pass(LONG_MS);
        // The driver asked again, under the same transaction number: what was kept is answered, what was lost is done anew.
        expect(waiting.map(({ outcome }) => outcome)).toEqual(all.map((_, n) => ({ acknowledged: true, insertedId: `n${n}` })));
        expect(mongo.documents('smspay', 'things')).toHaveLength(5);
      }
      expect(ends.kept).toBeGreaterThan(0);
      expect(ends.lost).toBeGreaterThan(0);
    },
  );

  it('a change is done once, kept or lost, and what it was decided on is decided anew', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { world, mongo, things, other } = await worldOf(2, seed);
      await world.run(() => things.insertOne({ _id: 'a', count: 0 }));
      mongo.loseMajority();
      const increment = watched(things.updateOne({ _id: 'a' }, { $inc: { count: 1 } } as never));
      await world.pass(5);
      const taken = watched(other.updateOne({ _id: 'a', count: 1 }, { $inc: { count: 10 } } as never));
      await world.pass(5);
      mongo.stepDown({ electionMs: 500 });
      mongo.haveMajority();
      await world.pass(LONG_MS);
      expect(increment.outcome).toMatchObject({ modifiedCount: 1 });
      const [document] = mongo.documents('smspay', 'things');
      const also = (taken.outcome as mongo.UpdateResult).modifiedCount;
      expect(document?.['count']).toBe(1 + 10 * also);
    }
  });

  it('who finds no other in time gives up; what was kept is committed later all the same', async () => {
    const { world, mongo, things } = await worldOf(1);
    const during = watched(things.insertOne({ _id: 'a' }));
    mongo.stepDown({ electionMs: 10_000 });
    await world.pass(7_500);
    expect(shapeOf(during.outcome)).toMatchObject({ class: 'MongoServerSelectionError' });
    expect(isDatabaseOutage(during.outcome)).toBe(true);
    const read = watched(things.findOne({}));
    await world.pass(2_000);
    expect(read.outcome).toBe('waits');
    await world.pass(3_000);
    expect(read.outcome).toBeNull();
  });

  it('the next may not know yet what is sure: reads go back, but never to what is lost', async () => {
    let isStale = false;
    for (let seed = 1; seed <= 30; seed++) {
      const { world, mongo, things, other } = await worldOf(2, seed);
      for (let n = 1; n <= 5; n++)
        await world.run(() => things.updateOne({ _id: 'a' }, { $set: { count: n } }, { upsert: true }));
      mongo.loseMajority();
      const lost = watched(things.updateOne({ _id: 'a' }, { $set: { count: 99 } }));
      await world.pass(5);
      mongo.stepDown({ electionMs: 1_000, isCrash: true });
      await world.pass(1_000);
      // Reads only: the next primary knows no more of the majority until it has committed something itself.
      const read = await world.run(() => other.findOne({ _id: 'a' }));
      expect(read === null || (read.count ?? 0) <= 5).toBe(true);
      isStale ||= read?.count !== 5;
      mongo.haveMajority();
      await world.pass(LONG_MS);
      expect(lost.outcome).toMatchObject({ acknowledged: true });
      expect((await world.run(() => other.findOne({ _id: 'a' })))?.count).toBe(99);
    }
    expect(isStale).toBe(true);
  });

  it('a cursor of its is lost', async () => {
    const { world, mongo, things } = await worldOf(1);
    await world.run(() => things.insertMany(Array.from({ length: 150 }, (_, n) => ({ _id: `n${n}` }))));
    const cursor = things.find();
    await world.run(() => cursor.next());
    mongo.stepDown({ electionMs: 100 });
    await world.pass(LONG_MS);
    expect(shapeOf(await world.run(() => thrownBy(cursor.toArray())))).toMatchObject({ class: 'MongoServerError', code: 43 });
  });

  it('the next has another clock', async () => {
    const { world, mongo } = await worldOf(1);
    const connection = await world.connect('smspay');
    const hello = () => world.run(() => connection.getClient().db('admin').command({ hello: 1 }));
    mongo.clockOffsetMs = 2_500;
    const offset = async () => Math.round((Number((await hello())['localTime']) - world.scheduler.nowMs) / 100) * 100;
    expect(await offset()).toBe(2_500);
    mongo.stepDown({ electionMs: 10, clockOffsetMs: -40_000 });
    await world.pass(100);
    expect(await offset()).toBe(-40_000);
  });
});

describe('the driver', () => {
  it('asks once more what got no answer, and what was done is done once', async () => {
    const { world, mongo, things } = await worldOf(1);
    const [caller] = world.callers;
    await world.run(() => things.insertOne({ _id: 'a', count: 0 }));
    mongo.faults.lostReplies = 1;
    if (caller) caller.onCall = (what) => what.endsWith('find a server') && Object.assign(mongo.faults, noFaults());
    await world.run(() => things.updateOne({ _id: 'a' }, { $inc: { count: 1 } } as never));
    await world.pass(LONG_MS);
    expect(mongo.documents('smspay', 'things')).toEqual([{ _id: 'a', count: 1 }]);
    expect(caller?.asked.slice(-3)).toEqual([
      'smspay.things updateOne a',
      'smspay find a server',
      'smspay.things updateOne a again',
    ]);
  });

  it('notices a silent loss when its patience is over', async () => {
    const { world, mongo, things } = await worldOf(1);
    Object.assign(mongo.faults, { lostRequests: 1, silentLosses: 1 });
    const beganMs = world.scheduler.nowMs;
    expect(shapeOf(await world.run(() => thrownBy(things.findOne())))).toMatchObject({ class: 'MongoNetworkTimeoutError' });
    expect(Math.round((world.scheduler.nowMs - beganMs) / 1_000)).toBe(30);
  });

  it('of one process can meet what others do not', async () => {
    const { world, mongo, things, other } = await worldOf(2);
    mongo.faultsOf('client-1').failing = { code: 13, of: 'all' };
    expect(shapeOf(await world.run(() => thrownBy(things.findOne())))).toMatchObject({ code: 13 });
    expect(await world.run(() => other.findOne())).toBeNull();
    mongo.goAway('client-2');
    expect(shapeOf(await world.run(() => thrownBy(other.findOne())))).toMatchObject({ class: 'MongoServerSelectionError' });
    mongo.heal();
    expect(await world.run(() => things.findOne())).toBeNull();
    expect(await world.run(() => other.findOne())).toBeNull();
  });

  it('waits longer where the server is slow', async () => {
    const { world, mongo, things } = await worldOf(1);
    const tookMs = async () => {
      const beganMs = world.scheduler.nowMs;
      for (let n = 0; n < 50; n++)
        await world.run(() => things.updateOne({ _id: 'a' }, { $inc: { count: 1 } } as never, { upsert: true }));
      return world.scheduler.nowMs - beganMs;
    };
    const usualMs = await tookMs();
    mongo.faults.slowness = 50;
    expect(await tookMs()).toBeGreaterThan(10 * usualMs);
  });

  it('keeps what is asked before the first connection, by the clock of the world', async () => {
    const world = new StoreWorld();
    const caller = new PlainCaller('early', world.scheduler);
    // It is never answered.
    caller.call = () => new Promise(() => undefined);
    const host = world.mongo.register('early', caller);
    const connection = mongoose.createConnection(`mongodb://${host}/smspay`, connectionOptions);
    const model = connection.model('Early', new mongoose.Schema({ _id: String }, { versionKey: false }));
    const find = watched(model.findOne().exec());
    await world.pass(9_000);
    expect(find.outcome).toBe('waits');
    await world.pass(2_000);
    expect(String(find.outcome)).toMatch(/Operation `earlies\.findOne\(\)` buffering timed out after 10000ms/);
    expect(isDatabaseOutage(find.outcome)).toBe(true);
    world.mongo.forget();
    expect(mongoose.connections).not.toContain(connection);
  });
});

describe('the store', () => {
  it('deletes what is too old for an index, each minute', async () => {
    const { world, mongo, things } = await worldOf(1);
    await world.run(() => things.createIndex({ at: 1 }, { expireAfterSeconds: 100 }));
    const now = new Date(world.scheduler.nowMs);
    await world.run(() => things.insertMany([{ _id: 'a', at: now }, { _id: 'b' }, { _id: 'c', at: 'no date' }]));
    await world.pass(90_000);
    expect(mongo.documents('smspay', 'things')).toHaveLength(3);
    await world.pass(100_000);
    expect(mongo.documents('smspay', 'things').map(({ _id }) => _id)).toEqual(['b', 'c']);
  });

  it('says what no declared index serves', async () => {
    const { world, mongo, things } = await worldOf(1);
    const told: string[] = [];
    mongo.onUnserved((what) => told.push(what));
    await world.run(async () => {
      await things.createIndex({ kind: 1, at: 1 });
      await things.createIndex({ next: 1 }, { sparse: true });
      await things.insertOne({ _id: 'a', kind: 'x', at: 1, next: 1 });
      await things.find().toArray();
      await things.find({ kind: 'x', other: 1 }).sort({ at: -1 }).toArray();
      await things.find({ kind: { $in: ['x', 'y'] } }).toArray();
      await things
        .find({ next: { $lte: 5 } })
        .sort({ next: 1 })
        .toArray();
      await things.find({ $or: [{ kind: 'x' }, { next: 1 }] }).toArray();
      await things.countDocuments({ next: { $exists: true } });
      await things.updateOne({ _id: 'a', other: 1 }, { $set: { other: 2 } });
      await things.find({}).sort({ _id: -1 }).toArray();
      await things.updateMany({}, { $set: { more: 1 } });
      await things.aggregate([{ $match: { kind: 'x' } }, { $sort: { at: 1 } }, { $limit: 1 }]).toArray();
    });
    expect(told).toEqual([]);
    await world.run(async () => {
      await things.find({ other: 1 }).toArray();
      await things.find({ kind: 'x' }).sort({ other: 1 }).toArray();
      await things.find({ at: 1 }).toArray();
      await things.find({ next: null } as object).toArray();
      await things.find({}).sort({ next: 1 }).toArray();
      await things.find({ $or: [{ kind: 'x' }, { other: 1 }] }).toArray();
      await things.deleteMany({ other: 1 });
      await things
        .find({ kind: { $gt: 'a' } })
        .sort({ kind: 1, _id: 1 })
        .toArray();
      await things.aggregate([{ $match: { kind: 'x' } }, { $sort: { other: 1 } }]).toArray();
    });
    expect(told).toEqual([
      'smspay.things find other',
      'smspay.things find kind by other',
      'smspay.things find at',
      'smspay.things find next',
      'smspay.things find by next',
      'smspay.things find $or',
      'smspay.things deleteMany other',
      'smspay.things find kind by kind,_id',
      'smspay.things aggregate $match $sort',
    ]);
    expect(mongo.unserved.get('smspay.things find other')).toBe(1);
  });

  it.each([
    ['an operator', 'the operator $regex', (things: Things) => things.findOne({ kind: { $regex: 'x' } })],
    ['a filter', 'the filter $nor', (things: Things) => things.findOne({ $nor: [{ kind: 'x' }] })],
    ['an update', 'the update $mul', (things: Things) => things.updateOne({ _id: 'a' }, { $mul: { count: 2 } } as never)],
    [
      'a modifier',
      '$each in $push',
      (things: Things) => things.updateOne({ _id: 'a' }, { $push: { list: { $each: [1] } } } as never),
    ],
    ['a stage', 'the stage $lookup', (things: Things) => things.aggregate([{ $lookup: {} }]).toArray()],
    ['an option', 'the option hint of findOne', (things: Things) => things.findOne({}, { hint: 'x' })],
    [
      'an option of an index',
      'the option partialFilterExpression',
      (things: Things) => things.createIndex({ a: 1 }, { partialFilterExpression: { a: 1 } }),
    ],
    ['a method', 'the method findOneAndUpdate', async (things: Things) => things.findOneAndUpdate({}, { $set: { a: 1 } })],
    ['a method of a cursor', 'the method map', async (things: Things) => things.find().map((each) => each)],
    ['a document without an id', 'documents without an _id', (things: Things) => things.insertOne({ count: 1 } as never)],
    ['a type', 'a type of BSON', async (things: Things) => things.insertOne({ _id: 'a', id: mongo.ObjectId.createFromTime(1) })],
    ['an array in an index', 'an index over arrays: kind', (things: Things) => things.insertOne({ _id: 'a', kind: [1] })],
    [
      'a projection',
      'a projection that includes and excludes',
      (things: Things) => things.findOne({}, { projection: { a: 1, b: 0 } }),
    ],
  ] as [string, string, (things: Things) => Promise<unknown>][])(
    'does not pass over %s that it does not know: the world ends',
    async (_what, said, work) => {
      const { world, things } = await worldOf(1);
      await world.run(() => things.createIndex({ kind: 1 }));
      await world.run(() => things.insertOne({ _id: 'there' }));
      // Whoever asks may swallow what it is told.
      void work(things).catch(() => undefined);
      await expect(world.pass(LONG_MS)).rejects.toThrow(`the simulated store does not know ${said}`);
    },
  );

  it('does not connect as it is not meant to', async () => {
    const world = new StoreWorld();
    await expect(world.connect('smspay', 'a', { retryWrites: false })).rejects.toThrow('does not know retryWrites false');
    await expect(world.run(() => mongoose.createConnection('mongodb://elsewhere/x').asPromise())).rejects.toThrow('the host of');
    world.mongo.forget();
  });
});

describe('whatever happens', () => {
  /** Some processes insert and count, and everything goes wrong. */
  async function live(seed: number) {
    const { world, mongo, all } = await worldOf(3, seed);
    const chance = new Chance(seed, 'life');
    const acknowledged = { inserts: new Set<string>(), increments: 0 };
    const tried = { increments: 1 };
    const committed = new Map<string, unknown>();
    const log: string[] = [];
    mongo.onCommit((_database, _collection, before, after) => {
      const id = String((after ?? before)?.['_id']);
      log.push(`${world.scheduler.nowMs} ${id} ${JSON.stringify(after)}`);
      expect(before).toEqual(committed.get(id));
      if (after) committed.set(id, after);
      else committed.delete(id);
    });
    await world.run(async () => {
      await all[0]?.createIndex({ place: 1 }, { unique: true, sparse: true });
      await all[0]?.insertOne({ _id: 'counter', count: 0 });
    });
    const faults = (n: number) => {
      const { faults: all } = mongo;
      const acts = [
        () => mongo.stepDown(),
        () => mongo.goAway(),
        () => mongo.comeBack(),
        () => mongo.loseMajority(),
        () => mongo.haveMajority(),
        () => Object.assign(all, { lostRequests: 0.2, lostReplies: 0.2, silentLosses: 0.1 }),
        () =>
          (all.writeConcernErrors = { part: 0.3, code: chance.pick([64, 91, 189] as const), hidesDuplicates: chance.is(0.5) }),
        () => (all.slowness = chance.whole(1, 20)),
        () => (all.failing = { code: chance.pick([13, 16_500, 10_107]), of: chance.pick(['writes', 'all'] as const) }),
        () => Object.assign(all, noFaults()),
      ];
      world.scheduler.after(Math.min(n * chance.wait(2_000), 50_000), () => void chance.pick(acts)());
    };
    for (let n = 0; n < 12; n++) faults(n);
    world.scheduler.after(60_000, () => mongo.heal());
    let seen = 0;
    const lives = all.map(async (things, who) => {
      for (let n = 0; n < 40; n++) {
        const _id = `${who}-${n}`;
        const outcome = await chance
          .pick([
            () => things.insertOne({ _id, place: n }).then(() => acknowledged.inserts.add(_id)),
            () => things.insertMany([{ _id }, { _id: `${_id}+` }]).then(() => acknowledged.inserts.add(_id).add(`${_id}+`)),
            () => {
              tried.increments++;
              return things.updateOne({ _id: 'counter' }, { $inc: { count: 1 } } as never).then(() => acknowledged.increments++);
            },
            async () => {
              const read = await things.findOne({ _id: `${chance.whole(0, 2)}-${chance.whole(0, n)}` });
              // What was read is sure, whatever is lost later.
              if (read) expect(committed.get(read._id)).toEqual(read);
              seen += read ? 1 : 0;
            },
          ])()
          .catch((error: unknown) => error);
        if (outcome instanceof Error && !(outcome instanceof mongoose.mongo.MongoError)) throw outcome;
      }
    });
    await world.run(() => Promise.all(lives));
    // All faults have begun and ended.
    await world.pass(90_000);
    mongo.forget();
    return {
      acknowledged,
      tried,
      committed,
      log,
      seen,
      documents: mongo.documents('smspay', 'things'),
      uncommitted: mongo.uncommitted,
    };
  }

  it('what was acknowledged is there, once, and what is there is what was told', async () => {
    let seen = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const life = await live(seed);
      seen += life.seen;
      expect(life.uncommitted).toBe(0);
      expect(Object.fromEntries(life.documents.map((document) => [document['_id'], document]))).toEqual(
        Object.fromEntries(life.committed),
      );
      for (const _id of life.acknowledged.inserts) expect(life.committed.has(_id)).toBe(true);
      const places = life.documents.flatMap(({ place }) => place ?? []);
      expect(new Set(places).size).toBe(places.length);
      const { count } = life.committed.get('counter') as { count: number };
      expect(count).toBeGreaterThanOrEqual(life.acknowledged.increments);
      expect(count).toBeLessThan(life.tried.increments);
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('the same seed is the same life', async () => {
    const [one, same, other] = [await live(5), await live(5), await live(6)];
    expect(same.log).toEqual(one.log);
    expect(other.log).not.toEqual(one.log);
  });
});
