import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ensureIndexes, insertOrRead, isDuplicateKey, OtherIndexTaken } from '#libs/mongo';
import { realHost } from '#libs/runtime';
import fc from 'fast-check';
import mongoose, { type Connection, type Model, mongo } from 'mongoose';
import { realStore, shapeOf, simulatedStore, type Store, thrownBy } from './stores.spec-helper.ts';

interface Leg {
  account: string;
  seq: number;
  total: bigint;
}

/** With everything that documents of smspay have. */
interface Thing {
  _id: string;
  kind?: string;
  count?: number;
  total?: bigint;
  at?: Date;
  nextTryAt?: Date;
  flag?: boolean;
  sends?: Date[];
  untold?: string[];
  leg?: Leg;
  dead?: { reason: string; at: Date };
  version?: number;
}

/** Longer than any test: here it is only declared. */
const KEPT_SECONDS = 20 * 365 * 24 * 3_600;

const thingSchema = new mongoose.Schema<Thing>(
  {
    _id: String,
    kind: String,
    count: Number,
    total: BigInt,
    at: Date,
    nextTryAt: Date,
    flag: Boolean,
    sends: { type: [Date], default: undefined },
    untold: { type: [String], default: undefined },
    leg: new mongoose.Schema({ account: String, seq: Number, total: BigInt }, { _id: false, strict: 'throw' }),
    dead: Object,
    version: Number,
  },
  { collection: 'things', versionKey: false, strict: 'throw' },
)
  .index({ 'leg.account': 1, 'leg.seq': 1 }, { unique: true, sparse: true })
  .index({ nextTryAt: 1 }, { sparse: true })
  .index({ kind: 1, at: 1 })
  .index({ at: 1 }, { expireAfterSeconds: KEPT_SECONDS });

/** What waits here waits for nothing else than the store. */
const sleepless = { ...realHost, sleep: async () => undefined };
const day = (n: number) => new Date(Date.UTC(2026, 0, n));
const leg = (account: string, seq: number): Leg => ({ account, seq, total: BigInt(seq) * 100n });

describe.each([
  ['the simulated store', async () => simulatedStore()],
  ['a real server', realStore],
])('%s', (_name, start) => {
  let store: Store;
  let connection: Connection;
  let things: Model<Thing>;
  let raw: mongo.Collection<Thing & Record<string, unknown>>;

  beforeAll(async () => {
    store = await start();
    connection = await store.connect('store');
    things = connection.model<Thing>('Thing', thingSchema);
    await store.run(() => ensureIndexes(connection));
    raw = connection.db?.collection('things') as never;
  });
  afterAll(async () => {
    await store.stop();
  });
  beforeEach(async () => {
    await store.run(() => raw.deleteMany({}));
  });

  /** A test whose waiting goes by the clock of the store. */
  const holds = (sentence: string, work: () => Promise<void>) => it(sentence, () => store.run(work));
  const ids = async (filter: object) => (await things.find(filter).sort({ _id: 1 }).lean<Thing[]>()).map(({ _id }) => _id);
  const thing = (_id: string) => raw.findOne({ _id });

  describe('inserts', () => {
    holds('one document', async () => {
      expect(await raw.insertOne({ _id: 'a', count: 1 })).toEqual({ acknowledged: true, insertedId: 'a' });
      expect(await thing('a')).toEqual({ _id: 'a', count: 1 });
    });

    holds('one by its model, cast', async () => {
      await things.insertOne({ _id: 'a', count: '5', at: day(1).toISOString(), total: 7 } as never);
      expect(await things.findById('a').lean()).toEqual({ _id: 'a', count: 5, at: day(1), total: 7n });
    });

    holds('no document of a field that its schema lacks', async () => {
      expect(shapeOf(await thrownBy(things.insertOne({ _id: 'a', other: 1 } as never)))).toEqual({ name: 'StrictModeError' });
      expect(shapeOf(await thrownBy(things.updateOne({ _id: 'a' }, { $set: { other: 1 } })))).toEqual({
        name: 'StrictModeError',
      });
      expect(shapeOf(await thrownBy(things.insertOne({ _id: 'a', count: 'x' } as never)))).toEqual({ name: 'ValidationError' });
      expect(await raw.countDocuments()).toBe(0);
    });

    holds('no second one under an id', async () => {
      await raw.insertOne({ _id: 'a', count: 1 });
      const error = await thrownBy(things.insertOne({ _id: 'a', count: 2 }));
      expect(isDuplicateKey(error)).toBe(true);
      expect(shapeOf(error)).toEqual({
        name: 'MongoServerError',
        class: 'MongoServerError',
        code: 11_000,
        labels: [],
        index: '_id_',
        keyPattern: { _id: 1 },
        keyValue: { _id: 'a' },
        statement: 0,
      });
      expect(await thing('a')).toEqual({ _id: 'a', count: 1 });
    });

    holds('no second one under a key of two fields', async () => {
      await raw.insertOne({ _id: 'a', leg: leg('x', 1) });
      await raw.insertOne({ _id: 'b', leg: leg('x', 2) });
      const error = await thrownBy(things.insertOne({ _id: 'c', leg: { ...leg('x', 2), total: 1n } }));
      expect(shapeOf(error)).toMatchObject({
        code: 11_000,
        index: 'leg.account_1_leg.seq_1',
        keyPattern: { 'leg.account': 1, 'leg.seq': 1 },
        keyValue: { 'leg.account': 'x', 'leg.seq': 2 },
      });
      expect((error as Error).message).toMatch(
        /^E11000 duplicate key error collection: store\.things index: leg\.account_1_leg\.seq_1 dup key: \{ leg\.account: "x", leg\.seq: 2 \}$/,
      );
    });

    holds('any number without the fields of a sparse index, one that has only one of them', async () => {
      await raw.insertMany([{ _id: 'a' }, { _id: 'b' }, { _id: 'c', leg: { account: 'x' } as Leg }]);
      const error = await thrownBy(raw.insertOne({ _id: 'd', leg: { account: 'x' } as Leg }));
      expect(shapeOf(error)).toMatchObject({ code: 11_000, index: 'leg.account_1_leg.seq_1' });
    });

    holds('many', async () => {
      const result: unknown = await raw.insertMany([{ _id: 'a' }, { _id: 'b' }]);
      expect(result).toEqual({ acknowledged: true, insertedCount: 2, insertedIds: { 0: 'a', 1: 'b' } });
      expect(await ids({})).toEqual(['a', 'b']);
    });

    holds('of many what stands before a duplicate', async () => {
      await raw.insertOne({ _id: 'in the way', leg: leg('x', 3) });
      const batch = [1, 2, 3, 4].map((seq) => ({ _id: `x${seq}`, leg: leg('x', seq) }));
      for (const error of [await thrownBy(raw.insertMany(batch)), await thrownBy(raw.insertMany(batch.slice(2)))]) {
        expect(error).toBeInstanceOf(mongo.MongoBulkWriteError);
        expect(isDuplicateKey(error)).toBe(true);
      }
      expect(shapeOf(await thrownBy(raw.insertMany([{ _id: 'x0' }, ...batch.slice(2)])))).toEqual({
        name: 'MongoBulkWriteError',
        class: 'MongoBulkWriteError',
        code: 11_000,
        labels: [],
        index: 'leg.account_1_leg.seq_1',
        writeErrors: [{ code: 11_000, index: 1, of: 'leg.account_1_leg.seq_1' }],
        insertedCount: 1,
        insertedIds: [['0', 'x0']],
        resultErrors: 1,
        writeConcernError: undefined,
      });
      expect(await ids({})).toEqual(['in the way', 'x0', 'x1', 'x2']);
    });

    holds('of many all but the duplicates, if they need no order', async () => {
      await raw.insertOne({ _id: 'b' });
      const error = await thrownBy(raw.insertMany([{ _id: 'a' }, { _id: 'b' }, { _id: 'c' }, { _id: 'a' }], { ordered: false }));
      expect(shapeOf(error)).toMatchObject({ insertedCount: 2, resultErrors: 2, writeErrors: [{ index: 1 }, { index: 3 }] });
      expect(await ids({})).toEqual(['a', 'b', 'c']);
    });

    holds('by a model the same, in an error of the same kind', async () => {
      await raw.insertOne({ _id: 'b' });
      const error = await thrownBy(things.insertMany([{ _id: 'a' }, { _id: 'b' }, { _id: 'c' }]));
      expect(shapeOf(error)).toMatchObject({ class: 'MongoBulkWriteError', insertedCount: 1, resultErrors: 1 });
      expect(await ids({})).toEqual(['a', 'b']);
    });

    holds('once, by whoever comes first', async () => {
      const others = await Promise.all([1, 2, 3].map(() => store.connect('store')));
      const models = others.map((other) => other.model<Thing>('Thing', thingSchema));
      const results = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          insertOrRead(models[n % 3] as Model<Thing>, { _id: 'one', leg: leg('y', n) }, sleepless),
        ),
      );
      expect(results.filter(({ inserted }) => inserted)).toHaveLength(1);
      expect(new Set(results.map(({ stored }) => stored.leg?.seq)).size).toBe(1);
      const taken = { _id: 'two', leg: results[0]?.stored.leg } as Thing;
      expect(await thrownBy(insertOrRead(things, taken, sleepless))).toBeInstanceOf(OtherIndexTaken);
    });
  });

  describe('keeps', () => {
    const values: [string, unknown, unknown?][] = [
      ['a text', 'Ada 💚 žluťoučký'],
      ['an empty text', ''],
      ['a lone surrogate, as what stands for it', 'a\ud83db', 'a\ufffdb'],
      ['an int', 42],
      ['a negative zero', -0],
      ['a whole number beyond an int', 4_294_967_295],
      ['the greatest safe number', Number.MAX_SAFE_INTEGER],
      ['a fraction', 0.1],
      ['NaN', Number.NaN],
      ['infinity', Infinity],
      ['a 64-bit integer', 2n ** 63n - 1n],
      ['a small 64-bit integer', 5n],
      ['a negative one', -(2n ** 63n)],
      ['true', true],
      ['a date to the millisecond', new Date(1_700_000_000_123)],
      ['a date before 1970', new Date(-1)],
      ['null', null],
      ['undefined, as null', undefined, null],
      ['a document in its order', { b: 1, a: { c: [1, 'x', { d: null }] } }],
      ['an empty document', {}],
      ['an array', ['a', 2, 3n, new Date(4), { five: 5 }]],
      ['an empty array', []],
      ['undefined in an array, as null', [undefined, 1], [null, 1]],
      ['a number of the driver', new mongo.Double(5), 5],
      ['a long of the driver', mongo.Long.fromNumber(5), 5n],
    ];
    it.each(values)('%s', (_what, value, expected = value) =>
      store.run(async () => {
        await raw.insertOne({ _id: 'a', value });
        expect((await thing('a'))?.['value']).toStrictEqual(expected);
        await raw.updateOne({ _id: 'a' }, { $set: { again: value } });
        const stored = await thing('a');
        expect(stored?.['again']).toStrictEqual(expected);
        expect(JSON.stringify(stored?.['again'], shown)).toBe(JSON.stringify(expected, shown));
        expect(await raw.countDocuments({ value: expected as never })).toBe(1);
      }),
    );

    holds('nothing that somebody else holds', async () => {
      const document = { _id: 'a', untold: ['x'], at: day(1), leg: leg('x', 1) };
      await raw.insertOne(document);
      document.untold.push('y');
      document.at.setTime(0);
      document.leg.seq = 9;
      const [one, other] = [await thing('a'), await thing('a')];
      one?.untold?.push('z');
      expect(other).toEqual({ _id: 'a', untold: ['x'], at: day(1), leg: leg('x', 1) });
      expect(await thing('a')).toEqual(other);
    });
  });

  describe('finds', () => {
    beforeEach(async () => {
      await store.run(() =>
        raw.insertMany([
          { _id: 'a', kind: 'x', count: 1, at: day(1), sends: [], untold: ['u'], leg: leg('l', 1) },
          { _id: 'b', kind: 'x', count: 2, at: day(2), sends: [day(1)], untold: [], total: 5n },
          { _id: 'c', kind: 'y', count: 3, at: day(3), sends: [day(1), day(2)], dead: { reason: 'r', at: day(3) } },
          { _id: 'd', kind: 'y', total: 2n, at: day(4), flag: true, nextTryAt: day(1) },
          { _id: 'e', kind: null, count: null, nextTryAt: day(2), leg: leg('l', 2) } as never,
        ]),
      );
    });

    const filters: [object, string][] = [
      [{}, 'abcde'],
      [{ kind: 'x' }, 'ab'],
      [{ kind: null }, 'e'],
      [{ count: null }, 'de'],
      [{ count: { $eq: null } }, 'de'],
      [{ count: { $ne: null } }, 'abc'],
      [{ count: { $exists: false } }, 'd'],
      [{ count: { $exists: true } }, 'abce'],
      [{ count: { $gt: 1 } }, 'bc'],
      [{ count: { $gte: 1, $lt: 3 } }, 'ab'],
      [{ count: { $lte: 2 } }, 'ab'],
      [{ count: { $gte: null } }, 'de'],
      [{ count: { $gt: null } }, ''],
      [{ count: 2n }, 'b'],
      [{ count: 2.5 }, ''],
      [{ count: { $gt: 1n, $lt: 2.5 } }, 'b'],
      [{ total: { $lt: 5 } }, 'd'],
      [{ total: 2 }, 'd'],
      [{ count: { $gt: 'a' } }, ''],
      [{ at: { $gt: 0 } }, ''],
      [{ at: { $gt: day(2) } }, 'cd'],
      [{ at: { $lte: day(2) } }, 'ab'],
      [{ kind: { $gt: '' } }, 'abcd'],
      [{ kind: { $in: ['y', 'z'] } }, 'cd'],
      [{ kind: { $in: [null, 'x'] } }, 'abe'],
      [{ kind: { $in: [] } }, ''],
      [{ kind: { $nin: ['x'] } }, 'cde'],
      [{ count: { $nin: [1, null] } }, 'bc'],
      [{ kind: { $ne: 'x' } }, 'cde'],
      [{ count: { $not: { $gt: 1 } } }, 'ade'],
      [{ count: { $not: { $exists: true } } }, 'd'],
      [{ $or: [{ kind: 'x', count: 1 }, { flag: true }] }, 'ad'],
      [{ $and: [{ kind: 'x' }, { count: { $gt: 1 } }] }, 'b'],
      [{ kind: 'x', $or: [{ count: 2 }, { count: 3 }] }, 'b'],
      [{ 'leg.account': 'l' }, 'ae'],
      [{ 'leg.account': 'l', 'leg.seq': { $in: [2, 3] } }, 'e'],
      [{ 'leg.account': 'l', 'leg.seq': { $gt: 0, $lte: 1 } }, 'a'],
      [{ 'leg.account': { $gt: '' } }, 'ae'],
      [{ 'leg.account': null }, 'bcd'],
      [{ leg: { $exists: true } }, 'ae'],
      [{ leg: leg('l', 2) }, 'e'],
      [{ leg: { seq: 2, account: 'l', total: 200n } }, ''],
      [{ 'dead.at': { $exists: true } }, 'c'],
      [{ 'dead.reason': 'r' }, 'c'],
      [{ nextTryAt: { $lte: day(1) } }, 'd'],
      [{ nextTryAt: { $exists: true } }, 'de'],
      [{ nextTryAt: { $exists: false }, count: { $exists: true } }, 'abc'],
      [{ 'sends.0': { $exists: false } }, 'ade'],
      [{ 'sends.1': { $exists: true } }, 'c'],
      [{ 'sends.1': day(2) }, 'c'],
      [{ 'untold.0': { $exists: true } }, 'a'],
      [{ untold: 'u' }, 'a'],
      [{ untold: ['u'] }, 'a'],
      [{ untold: [] }, 'b'],
      [{ sends: day(1) }, 'bc'],
      [{ sends: { $gt: day(1) } }, 'c'],
      [{ sends: { $ne: day(1) } }, 'ade'],
      [{ flag: true }, 'd'],
      [{ flag: { $ne: true } }, 'abce'],
      [{ _id: { $in: ['e', 'a', 'zz'] } }, 'ae'],
      [{ _id: { $gt: 'b', $ne: 'd' } }, 'ce'],
      [{ kind: 'x', at: { $gt: day(1), $lte: day(4) }, _id: { $ne: 'zz' } }, 'b'],
    ];
    it.each(filters)('by %j what is asked for', (filter, expected) =>
      store.run(async () => {
        expect((await raw.find(filter).sort({ _id: 1 }).toArray()).map(({ _id }) => _id).join('')).toBe(expected);
        expect(await raw.countDocuments(filter)).toBe(expected.length);
      }),
    );

    holds('by what a model casts', async () => {
      expect(await ids({ count: { $gt: '1' } })).toEqual(['b', 'c']);
      expect(await ids({ at: { $gt: day(2).toISOString() } })).toEqual(['c', 'd']);
      expect(await ids({ total: { $gte: '5' } })).toEqual(['b']);
      expect(shapeOf(await thrownBy(things.find({ count: 'many' } as object).exec()))).toEqual({ name: 'CastError' });
      expect(await things.exists({ kind: 'x' })).toEqual({ _id: expect.any(String) });
      expect(await things.exists({ kind: 'zz' })).toBeNull();
    });

    const orders: [object, Record<string, 1 | -1>, string][] = [
      [{}, { _id: -1 }, 'edcba'],
      [{}, { at: 1 }, 'eabcd'],
      [{}, { at: -1 }, 'dcbae'],
      [{}, { kind: 1, at: -1 }, 'ebadc'],
      [{}, { kind: -1, at: 1 }, 'cdabe'],
      [{ kind: 'x' }, { at: -1 }, 'ba'],
      [{ kind: { $in: ['y', 'x'] } }, { kind: 1, at: 1 }, 'abcd'],
      [{ kind: { $in: ['y', 'x'] } }, { at: -1 }, 'dcba'],
      [{ 'leg.account': 'l', 'leg.seq': { $in: [2, 1, 7] } }, { 'leg.seq': -1 }, 'ea'],
      [{ nextTryAt: { $lte: day(9) } }, { nextTryAt: -1 }, 'ed'],
      [{ at: { $gte: day(2) } }, { at: 1, _id: 1 }, 'bcd'],
      [{ total: { $exists: true } }, { total: 1 }, 'db'],
    ];
    it.each(orders)('by %j in the order %j', (filter, order, expected) =>
      store.run(async () => {
        const found = (await raw.find(filter).sort(order).toArray()).map(({ _id }) => _id);
        expect(found.join('')).toBe(expected);
        const some = await things.find(filter).sort(order).skip(1).limit(2).lean<Thing[]>();
        expect(some.map(({ _id }) => _id)).toEqual(found.slice(1, 3));
        const first = await things.findOne(filter).sort(order).lean<Thing>();
        expect(first?._id).toBe(found[0]);
      }),
    );

    holds('only what a projection shows', async () => {
      const shown = (projection: object) => raw.findOne({ _id: 'c' }, { projection });
      expect(await shown({ count: 1 })).toEqual({ _id: 'c', count: 3 });
      expect(await shown({ count: 1, _id: 0 })).toEqual({ count: 3 });
      expect(await shown({ _id: 1 })).toEqual({ _id: 'c' });
      expect(await shown({ 'dead.at': 1 })).toEqual({ _id: 'c', dead: { at: day(3) } });
      expect(await shown({ at: 0, 'dead.at': 0, sends: 0 })).toEqual({ _id: 'c', kind: 'y', count: 3, dead: { reason: 'r' } });
      expect(await shown({ nothing: 1 })).toEqual({ _id: 'c' });
      expect(await things.findById('c', { count: 1 }).lean()).toEqual({ _id: 'c', count: 3 });
    });

    holds('nothing where nothing is', async () => {
      expect(await things.findById('zz').lean()).toBeNull();
      expect(shapeOf(await thrownBy(things.findById('zz').orFail().lean().exec()))).toEqual({ name: 'DocumentNotFoundError' });
      const nowhere = connection.db?.collection('nowhere') as mongo.Collection;
      expect(await nowhere.find({ a: 1 }).toArray()).toEqual([]);
      expect(await nowhere.countDocuments()).toBe(0);
      expect((await nowhere.updateOne({ a: 1 }, { $set: { a: 2 } })).matchedCount).toBe(0);
      expect((await nowhere.deleteMany({})).deletedCount).toBe(0);
    });
  });

  describe('walks', () => {
    beforeEach(async () => {
      const many = Array.from({ length: 350 }, (_, n) => ({
        _id: `n${String(n).padStart(4, '0')}`,
        kind: 'k',
        at: new Date(day(1).getTime() + n),
      }));
      await store.run(() => raw.insertMany(many));
    });

    holds('all of it, in more batches than one', async () => {
      expect(await raw.find({ kind: 'k' }).toArray()).toHaveLength(350);
      const walked: string[] = [];
      for await (const { _id } of raw.find().sort({ _id: 1 })) walked.push(_id);
      expect(walked).toHaveLength(350);
      expect(walked).toEqual(walked.toSorted());
      const backwards: string[] = [];
      for await (const { _id } of things.find({ kind: 'k' }).sort({ at: -1 }).lean<Thing[]>().cursor()) backwards.push(_id);
      expect(backwards).toEqual(walked.toReversed());
    });

    holds('as far as one likes', async () => {
      const cursor = raw.find({}).sort({ _id: 1 }).batchSize(10).limit(25);
      expect((await cursor.next())?._id).toBe('n0000');
      expect(await cursor.toArray()).toHaveLength(24);
      expect(await cursor.next()).toBeNull();
      const other = raw.find({}).sort({ _id: 1 }).skip(340);
      const [first] = [await other.next()];
      expect(first?._id).toBe('n0340');
      await other.close();
      for await (const { _id } of raw.find().sort({ _id: 1 })) if (_id === 'n0120') break;
    });

    holds('on from where it is, over what changes meanwhile', async () => {
      const cursor = raw.find({}).sort({ _id: 1 }).batchSize(100);
      const found = [await cursor.next()];
      await raw.deleteMany({ _id: { $gte: 'n0200', $lt: 'n0210' } });
      await raw.insertOne({ _id: 'n0300 and more' });
      for (let next = await cursor.next(); next; next = await cursor.next()) found.push(next);
      const seen = found.map((document) => document?._id);
      expect(seen.filter((_id) => _id && _id >= 'n0200' && _id < 'n0210')).toEqual(
        // The stand-in makes a cursor's documents with its first batch.
        store.kind === 'SecantusDB' ? expect.any(Array) : [],
      );
      if (store.kind !== 'SecantusDB') expect(seen).toContain('n0300 and more');
      expect(new Set(seen).size).toBe(seen.length);
    });
  });

  describe('updates', () => {
    const start = {
      _id: 'a',
      kind: 'x',
      count: 5,
      total: 10n,
      at: day(1),
      sends: [day(1)],
      untold: ['p', 'q'],
      leg: leg('l', 1),
    };
    beforeEach(async () => {
      await store.run(() => raw.insertMany([{ ...start }, { _id: 'b', kind: 'x' }, { _id: 'c', kind: 'y' }]));
    });

    const changes: [object, object, number?][] = [
      [{ $set: { count: 6 } }, { count: 6 }],
      [{ $set: { count: 5 } }, {}, 0],
      [{ $set: { count: 5n } }, { count: 5n }],
      [{ $set: { count: null } }, { count: null }],
      [{ $set: { 'leg.seq': 2, flag: true } }, { leg: { ...start.leg, seq: 2 }, flag: true }],
      [{ $set: { 'new.deep.field': 1 } }, { new: { deep: { field: 1 } } }],
      [{ $set: { leg: leg('l', 1) } }, {}, 0],
      [{ $set: { leg: { seq: 1, account: 'l', total: 100n } } }, { leg: { seq: 1, account: 'l', total: 100n } }],
      [{ $set: { untold: [] } }, { untold: [] }],
      [{ $set: { untold: ['p', 'q'] } }, {}, 0],
      [{ $set: { 'untold.0': 'z' } }, { untold: ['z', 'q'] }],
      [{ $set: { 'untold.3': 'z' } }, { untold: ['p', 'q', null, 'z'] }],
      [{ $unset: { count: 1 } }, { count: undefined }],
      [{ $unset: { nothing: 1, 'leg.none': 1, 'none.at.all': 1 } }, {}, 0],
      [{ $unset: { 'leg.seq': 1 } }, { leg: { account: 'l', total: 100n } }],
      [{ $unset: { 'untold.0': 1 } }, { untold: [null, 'q'] }],
      [{ $inc: { count: 2 } }, { count: 7 }],
      [{ $inc: { count: -0.5 } }, { count: 4.5 }],
      [{ $inc: { count: 0 } }, {}, 0],
      [{ $inc: { count: 2 ** 31 - 1 } }, { count: 2_147_483_652n }],
      [{ $inc: { total: 5n } }, { total: 15n }],
      [{ $inc: { total: 5 } }, { total: 15n }],
      [{ $inc: { count: 5n } }, { count: 10n }],
      [{ $inc: { fresh: 3, 'leg.seq': 1 } }, { fresh: 3, leg: { ...start.leg, seq: 2 } }],
      [{ $push: { untold: 'r' } }, { untold: ['p', 'q', 'r'] }],
      [{ $push: { sends: day(2), fresh: 1 } }, { sends: [day(1), day(2)], fresh: [1] }],
      [{ $addToSet: { untold: 'q' } }, {}, 0],
      [{ $addToSet: { untold: 'r', fresh: 'r' } }, { untold: ['p', 'q', 'r'], fresh: ['r'] }],
      [{ $pull: { untold: 'p' } }, { untold: ['q'] }],
      [{ $pull: { untold: 'none', nothing: 1 } }, {}, 0],
      [{ $pull: { untold: { $in: ['p', 'q'] } } }, { untold: [] }],
      [{ $pull: { sends: { $lt: day(2) } } }, { sends: [] }],
      [{ $min: { count: 3 } }, { count: 3 }],
      [{ $min: { count: 7 } }, {}, 0],
      [{ $max: { count: 7, at: day(0) } }, { count: 7 }],
      [{ $max: { at: day(2), fresh: 1 } }, { at: day(2), fresh: 1 }],
      [{ $setOnInsert: { count: 9 } }, {}, 0],
      [
        { $set: { kind: 'z', at: day(2) }, $unset: { total: 1 }, $inc: { version: 1 }, $push: { sends: day(3) } },
        { kind: 'z', at: day(2), total: undefined, version: 1, sends: [day(1), day(3)] },
      ],
    ];
    it.each(changes)('by %p', (change, expected, modifiedCount = 1) =>
      store.run(async () => {
        expect(await raw.updateOne({ _id: 'a' }, change)).toEqual({
          acknowledged: true,
          matchedCount: 1,
          modifiedCount,
          upsertedCount: 0,
          upsertedId: null,
        });
        const stored = await thing('a');
        expect(stored).toEqual({ ...start, ...expected });
        for (const [name, value] of Object.entries(expected)) if (value === undefined) expect(stored).not.toHaveProperty(name);
        expect(await thing('b')).toEqual({ _id: 'b', kind: 'x' });
      }),
    );

    holds('new fields in the order of their names', async () => {
      await raw.updateOne({ _id: 'b' }, { $set: { z: 1, m: 1 }, $inc: { b: 1 } } as never);
      const names = Object.keys((await thing('b')) ?? {});
      // The stand-in adds them as the update names them.
      expect(store.kind === 'SecantusDB' ? names.toSorted() : names).toEqual(
        store.kind === 'SecantusDB' ? ['_id', 'b', 'kind', 'm', 'z'] : ['_id', 'kind', 'b', 'm', 'z'],
      );
    });

    const refused: [object, number][] = [
      [{ $inc: { kind: 1 } }, 14],
      [{ $push: { kind: 'x' } }, 2],
      [{ $set: { 'kind.deeper': 1 } }, 28],
      [{ $set: { 'untold.name': 1 } }, 28],
      [{ $set: { count: 1 }, $inc: { count: 1 } }, 40],
      [{ $set: { leg: {}, 'leg.seq': 1 } }, 40],
      [{ $set: { _id: 'other' } }, 66],
    ];
    it.each(refused)('not by %p', (change, code) =>
      store.run(async () => {
        const error = await thrownBy(raw.updateOne({ _id: 'a' }, change));
        expect(shapeOf(error)).toMatchObject({ class: 'MongoServerError', code });
        expect(isDuplicateKey(error)).toBe(false);
        expect(await thing('a')).toEqual(start);
      }),
    );

    holds('nothing without an operator', async () => {
      expect(shapeOf(await thrownBy(raw.updateOne({ _id: 'a' }, { count: 1 } as never)))).toMatchObject({
        class: 'MongoInvalidArgumentError',
      });
      await things.updateOne({ _id: 'a' }, { count: '8' });
      expect((await thing('a'))?.count).toBe(8);
    });

    holds('one of those that match', async () => {
      expect(await things.updateOne({ kind: 'x' }, { $set: { count: 9 } })).toMatchObject({ matchedCount: 1, modifiedCount: 1 });
      expect(await raw.countDocuments({ count: 9 })).toBe(1);
      expect(await raw.countDocuments({}, { limit: 1 })).toBe(1);
      expect(await things.updateOne({ kind: 'none' }, { $set: { count: 9 } })).toMatchObject({
        matchedCount: 0,
        modifiedCount: 0,
      });
      expect(await things.updateOne({ _id: 'a', count: { $ne: 5 } }, { $set: { count: 1 } })).toMatchObject({ matchedCount: 0 });
    });

    holds('all that match', async () => {
      await raw.updateOne({ _id: 'b' }, { $set: { count: 9 } });
      expect(await things.updateMany({ kind: 'x' }, { $set: { count: 9 } })).toMatchObject({ matchedCount: 2, modifiedCount: 1 });
      expect(await ids({ count: 9 })).toEqual(['a', 'b']);
      expect(await raw.updateMany({}, { $unset: { at: 1 } })).toMatchObject({ matchedCount: 3, modifiedCount: 1 });
      // What an update moves along its own index is not met again.
      expect(await raw.updateMany({ kind: { $gte: 'x' } }, { $set: { kind: 'z' } })).toMatchObject({ modifiedCount: 3 });
    });

    holds('nothing into what another document has', async () => {
      await raw.updateOne({ _id: 'b' }, { $set: { leg: leg('l', 2) } });
      const error = await thrownBy(things.updateOne({ _id: 'b' }, { $set: { 'leg.seq': 1 } }));
      expect(isDuplicateKey(error)).toBe(true);
      expect(shapeOf(error)).toMatchObject({ class: 'MongoServerError', code: 11_000, index: 'leg.account_1_leg.seq_1' });
      expect((await thing('b'))?.leg).toEqual(leg('l', 2));
      // What it has itself it may keep, and what was given up can be had.
      await raw.updateOne({ _id: 'b' }, { $set: { 'leg.seq': 2, count: 1 } });
      await raw.updateOne({ _id: 'a' }, { $unset: { leg: 1 } });
      expect((await raw.updateOne({ _id: 'b' }, { $set: { 'leg.seq': 1 } })).modifiedCount).toBe(1);
    });

    holds('or inserts', async () => {
      const fresh = await raw.updateOne(
        { _id: 'n', kind: 'z' },
        { $set: { count: 1 }, $setOnInsert: { flag: true } },
        { upsert: true },
      );
      expect(fresh).toEqual({ acknowledged: true, matchedCount: 0, modifiedCount: 0, upsertedCount: 1, upsertedId: 'n' });
      expect(await thing('n')).toEqual({ _id: 'n', kind: 'z', count: 1, flag: true });
      const more = { $inc: { count: 1 }, $setOnInsert: { flag: false } };
      const again = await raw.updateOne({ _id: 'n' }, more as never, { upsert: true });
      expect(again).toMatchObject({ matchedCount: 1, modifiedCount: 1, upsertedCount: 0, upsertedId: null });
      expect(await thing('n')).toEqual({ _id: 'n', kind: 'z', count: 2, flag: true });
      expect(
        isDuplicateKey(await thrownBy(raw.updateOne({ _id: 'n', count: 99 }, { $set: { flag: true } }, { upsert: true }))),
      ).toBe(true);
      await things.updateOne({ _id: 'm' }, { count: '3' }, { upsert: true });
      expect(await thing('m')).toEqual({ _id: 'm', count: 3 });
    });

    holds('a version once, whoever races for it', async () => {
      const others = await Promise.all([1, 2, 3, 4].map(() => store.connect('store')));
      const models = others.map((other) => other.model<Thing>('Thing', thingSchema));
      await raw.updateOne({ _id: 'a' }, { $set: { version: 0 } });
      for (let version = 0; version < 5; version++) {
        const outcomes = await Promise.all(
          models.map((model, n) => model.updateOne({ _id: 'a', version }, { $set: { version: version + 1, count: n } })),
        );
        expect(outcomes.filter(({ modifiedCount }) => modifiedCount === 1)).toHaveLength(1);
        expect((await thing('a'))?.version).toBe(version + 1);
      }
    });
  });

  describe('deletes', () => {
    beforeEach(async () => {
      await store.run(() => raw.insertMany(['a', 'b', 'c'].map((_id) => ({ _id, kind: 'x', leg: leg(_id, 1) }))));
    });

    holds('one', async () => {
      expect(await things.deleteOne({ _id: 'a' })).toEqual({ acknowledged: true, deletedCount: 1 });
      expect(await things.deleteOne({ _id: 'a' })).toEqual({ acknowledged: true, deletedCount: 0 });
      expect((await raw.deleteOne({ kind: 'x' })).deletedCount).toBe(1);
      expect(await raw.countDocuments()).toBe(1);
    });

    holds('many, and what they had can be had again', async () => {
      expect(await things.deleteMany({ _id: { $lt: 'c' } })).toEqual({ acknowledged: true, deletedCount: 2 });
      expect(await ids({})).toEqual(['c']);
      await raw.insertOne({ _id: 'a', leg: leg('b', 1) });
      expect(await ids({ 'leg.account': 'b' })).toEqual(['a']);
      expect((await things.deleteMany()).deletedCount).toBe(2);
    });
  });

  describe('aggregates', () => {
    beforeEach(async () => {
      await store.run(() =>
        raw.insertMany([
          { _id: 'a', kind: 'x', count: 1, total: 5n, at: day(3) },
          { _id: 'b', kind: 'x', count: 2, at: day(1) },
          { _id: 'c', kind: 'y', count: 4, total: 7n },
        ]),
      );
    });

    holds('the oldest of what matches', async () => {
      const group = { $group: { _id: null, at: { $min: '$at' } } };
      expect(await things.aggregate([{ $match: { kind: 'x' } }, group])).toEqual([{ _id: null, at: day(1) }]);
      expect(await things.aggregate([{ $match: { kind: 'z' } }, group])).toEqual([]);
      expect(await things.aggregate([{ $match: { kind: 'y' } }, group])).toEqual([{ _id: null, at: null }]);
    });

    holds('sums, extremes and firsts by group', async () => {
      const rows = await raw
        .aggregate([
          { $sort: { at: -1 } },
          {
            $group: {
              _id: '$kind',
              n: { $sum: 1 },
              count: { $sum: '$count' },
              total: { $sum: '$total' },
              most: { $max: '$count' },
              first: { $first: '$_id' },
            },
          },
          { $sort: { _id: 1 } },
        ])
        .toArray();
      expect(rows).toEqual([
        { _id: 'x', n: 2, count: 3, total: 5n, most: 2, first: 'a' },
        { _id: 'y', n: 1, count: 4, total: 7n, most: 4, first: 'c' },
      ]);
    });

    holds('what comes first', async () => {
      const newest = await raw.aggregate([{ $match: { at: { $exists: true } } }, { $sort: { at: -1 } }, { $limit: 1 }]).toArray();
      expect(newest).toEqual([{ _id: 'a', kind: 'x', count: 1, total: 5n, at: day(3) }]);
      expect(await things.countDocuments({ count: { $gt: 1 } })).toBe(2);
    });
  });

  describe('has indexes', () => {
    holds('as they were declared', async () => {
      const indexes = (await things.listIndexes()) as Record<string, unknown>[];
      // Servers say more of an index than this, each something else.
      const said = indexes
        .toSorted((one, other) => (String(one['name']) < String(other['name']) ? -1 : 1))
        .map(({ v, key, name, unique, sparse, expireAfterSeconds }) => ({
          v,
          key: JSON.stringify(key),
          name,
          unique,
          sparse,
          expireAfterSeconds,
        }));
      const none = { unique: undefined, sparse: undefined, expireAfterSeconds: undefined };
      expect(said).toEqual([
        { ...none, v: 2, key: '{"_id":1}', name: '_id_' },
        { ...none, v: 2, key: '{"at":1}', name: 'at_1', expireAfterSeconds: KEPT_SECONDS },
        { ...none, v: 2, key: '{"kind":1,"at":1}', name: 'kind_1_at_1' },
        { ...none, v: 2, key: '{"leg.account":1,"leg.seq":1}', name: 'leg.account_1_leg.seq_1', unique: true, sparse: true },
        { ...none, v: 2, key: '{"nextTryAt":1}', name: 'nextTryAt_1', sparse: true },
      ]);
      expect(await raw.indexes()).toHaveLength(5);
    });

    holds('that are made as often as one likes', async () => {
      await ensureIndexes(connection);
      await Promise.all([ensureIndexes(connection), ensureIndexes(connection)]);
      expect(await things.listIndexes()).toHaveLength(5);
      expect(await raw.createIndex({ kind: 1, at: 1 })).toBe('kind_1_at_1');
    });

    holds('each as it is, or says so', async () => {
      for (const [options, code] of [
        [{ unique: true }, 86],
        [{ name: 'other' }, 85],
      ] as const)
        expect(shapeOf(await thrownBy(raw.createIndex({ kind: 1, at: 1 }, options)))).toMatchObject({
          class: 'MongoServerError',
          code,
        });
      await raw.insertMany([
        { _id: 'a', count: 1 },
        { _id: 'b', count: 1 },
      ]);
      expect(shapeOf(await thrownBy(raw.createIndex({ count: 1 }, { unique: true })))).toMatchObject({
        class: 'MongoServerError',
        code: 11_000,
      });
      expect(await raw.indexes()).toHaveLength(5);
    });

    holds('without which a service is not ready', async () => {
      const other = await store.connect('lacking');
      const schema = new mongoose.Schema<{ _id: string; ref: number }>(
        { _id: String, ref: Number },
        { collection: 'lacking', versionKey: false },
      );
      other.model('Lacking', schema.index({ ref: 1 }, { unique: true }));
      await other.db?.collection<{ _id: string }>('lacking').insertMany([{ _id: 'a' }, { _id: 'b' }]);
      await expect(ensureIndexes(other)).rejects.toThrow();
    });
  });

  describe('answers', () => {
    holds('a ping and a hello', async () => {
      expect(await connection.db?.command({ ping: 1 })).toMatchObject({ ok: 1 });
      const hello = await connection.getClient().db('admin').command({ hello: 1 });
      expect(hello).toMatchObject({ ok: 1, isWritablePrimary: true, setName: expect.any(String), localTime: expect.any(Date) });
    });

    holds('nothing any more when the connection is closed', async () => {
      const closed = await store.connect('store');
      const model = closed.model<Thing>('Thing', thingSchema);
      await model.findById('a').lean();
      await closed.close();
      expect(shapeOf(await thrownBy(model.findById('a').lean().exec()))).toMatchObject({ name: 'MongoNotConnectedError' });
    });
  });
});

/** How a value looks, that it be told from others that are equal to it by the rules of JSON. */
const shown = (_name: string, value: unknown) =>
  typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : typeof value === 'number' ? String(value) : value;

describe('the simulated store and a real server', () => {
  let stores: [Store, Store];
  let collections: [mongo.Collection<Loose>, mongo.Collection<Loose>];

  type Loose = { _id: string } & Record<string, unknown>;

  beforeAll(async () => {
    stores = [simulatedStore(), await realStore()];
    const [one, other] = await Promise.all(stores.map((store) => store.connect('random')));
    collections = [one?.db?.collection<Loose>('loose') as never, other?.db?.collection<Loose>('loose') as never];
    await both((collection) => collection.createIndex({ a: 1, b: 1 }));
    await both((collection) => collection.createIndex({ c: 1 }, { sparse: true }));
    await both((collection) => collection.createIndex({ 'in.x': 1, a: 1 }, { unique: true, sparse: true }));
  });
  afterAll(() => Promise.all(stores.map((store) => store.stop())));

  /** What both make of the same; an error as what it is. */
  const both = async <T>(work: (collection: mongo.Collection<Loose>) => Promise<T>): Promise<[unknown, unknown]> => {
    const [one, other] = stores.map((store, index) =>
      store.run(() => work(collections[index] as mongo.Collection<Loose>)).catch((error: unknown) => shapeOf(error)),
    );
    return [await one, await other];
  };

  const number = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom(0.5, 1n, 2n, -1n));
  const plain = fc.oneof(
    number,
    fc.constantFrom('', 'a', 'b', 'ž', '\uffff', '💚'),
    fc.boolean(),
    fc.constantFrom(day(1), day(2)),
  );
  const orNull = fc.oneof({ weight: 5, arbitrary: plain }, { weight: 1, arbitrary: fc.constant(null) });
  const list = fc.array(fc.constantFrom('a', 'b', 'c', 1, 2n), { maxLength: 3 });
  const document = fc.record(
    { a: orNull, b: orNull, c: orNull, list, in: fc.record({ x: plain, y: orNull }, { requiredKeys: [] }) },
    { requiredKeys: [] },
  );
  const documents = fc.array(document, { maxLength: 12 }).map((all) => all.map((each, n) => ({ _id: `d${n}`, ...each })));
  const path = fc.constantFrom('a', 'b', 'c', 'in.x', 'in.y', 'list', '_id');

  const test = fc.oneof(
    orNull,
    fc.record({ $eq: orNull }),
    fc.record({ $ne: orNull }),
    fc.record({ $in: fc.array(orNull, { maxLength: 3 }) }),
    fc.record({ $nin: fc.array(orNull, { maxLength: 2 }) }),
    fc.record({ $exists: fc.boolean() }),
    fc.record({ $gt: plain }),
    fc.record({ $gte: plain, $lt: plain }),
    fc.record({ $lte: plain }),
    fc.record({ $not: fc.oneof(fc.record({ $gt: plain }), fc.record({ $in: fc.array(plain, { maxLength: 2 }) })) }),
  );
  /** Of an element that may not be there null is not asked: servers are not of one mind. */
  const elementTest = fc.oneof(plain, fc.record({ $exists: fc.boolean() }), fc.record({ $ne: plain }), fc.record({ $gt: plain }));
  const fields = fc
    .tuple(fc.dictionary(path, test, { maxKeys: 3 }), fc.option(elementTest, { freq: 3, nil: undefined }))
    .map(([tests, element]) => (element === undefined ? tests : Object.assign(tests, { 'list.1': element })));
  const filter = fc.oneof(
    { weight: 4, arbitrary: fields },
    {
      weight: 1,
      arbitrary: fc.record({ $or: fc.array(fields, { minLength: 1, maxLength: 3 }), a: test }, { requiredKeys: ['$or'] }),
    },
    { weight: 1, arbitrary: fc.record({ $and: fc.array(fields, { minLength: 1, maxLength: 2 }) }) },
  ) as fc.Arbitrary<mongo.Filter<Loose>>;

  const fill = async (all: Loose[]) => {
    await both((collection) => collection.deleteMany({}));
    return both((collection) => collection.insertMany([{ _id: 'first' }, ...all]));
  };
  const state = () => both((collection) => collection.find().sort({ _id: 1 }).toArray());

  it('insert the same, and find the same by any filter and in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        documents,
        fc.array(filter, { minLength: 6, maxLength: 6 }),
        path,
        path,
        async (all, filters, first, second) => {
          const [inserted, insertedThere] = await fill(all as never);
          expect(inserted).toEqual(insertedThere);
          for (const query of filters) {
            const [found, foundThere] = await both((collection) => collection.find(query).toArray());
            const sorted = (documents: unknown) =>
              (documents as Loose[]).toSorted((one, other) => (one._id < other._id ? -1 : 1));
            expect(sorted(found)).toEqual(sorted(foundThere));
            if (first === 'list' || second === 'list') continue;
            const order = { [first]: 1, [second]: -1, _id: 1 } as const;
            const [inOrder, inOrderThere] = await both((collection) => collection.find(query).sort(order).limit(4).toArray());
            expect(inOrder).toEqual(inOrderThere);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('change the same by any update', async () => {
    const target = fc.constantFrom('a', 'b', 'in.x', 'in.y', 'in', 'list', 'list.0', 'list.2', 'new', 'new.deep');
    // Arrays where no index is.
    const set = fc.oneof(
      fc.dictionary(fc.constantFrom('a', 'b', 'in.x', 'in.y'), orNull, { minKeys: 1, maxKeys: 2 }),
      fc.dictionary(fc.constantFrom('list', 'new'), fc.oneof(orNull, list), { minKeys: 1, maxKeys: 2 }),
      fc.dictionary(fc.constantFrom('list.0', 'list.2', 'new.deep'), orNull, { minKeys: 1, maxKeys: 2 }),
      fc.dictionary(fc.constant('in'), fc.record({ x: plain }), { minKeys: 1, maxKeys: 1 }),
    );
    const update = fc.record(
      {
        $set: set,
        $unset: fc.dictionary(target, fc.constant(1), { minKeys: 1, maxKeys: 2 }),
        $inc: fc.dictionary(fc.constantFrom('a', 'b', 'in.x', 'new'), number, { minKeys: 1, maxKeys: 1 }),
        $push: fc.dictionary(fc.constantFrom('list', 'new'), plain, { minKeys: 1, maxKeys: 1 }),
        $addToSet: fc.dictionary(fc.constantFrom('list', 'new'), plain, { minKeys: 1, maxKeys: 1 }),
        $pull: fc.dictionary(fc.constantFrom('list', 'new'), plain, { minKeys: 1, maxKeys: 1 }),
        $min: fc.dictionary(fc.constantFrom('a', 'in.y', 'new'), plain, { minKeys: 1, maxKeys: 1 }),
        $max: fc.dictionary(fc.constantFrom('b', 'in.y', 'new'), plain, { minKeys: 1, maxKeys: 1 }),
      },
      { requiredKeys: [] },
    );
    const some = fc.subarray(['$set', '$unset', '$inc', '$push', '$addToSet', '$pull', '$min', '$max'], {
      minLength: 1,
      maxLength: 2,
    });
    const change = fc
      .tuple(update, some)
      .map(([all, names]) => Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))))
      .filter((chosen) => Object.keys(chosen).length > 0);
    await fc.assert(
      fc.asyncProperty(
        documents,
        fc.array(fc.tuple(filter, change, fc.boolean()), { minLength: 4, maxLength: 4 }),
        async (all, steps) => {
          await fill(all as never);
          for (const [query, chosen, many] of steps) {
            // Which of several one update takes is the server's choice.
            const one = { ...query, _id: 'd0' } as mongo.Filter<Loose>;
            const [here, there] = await both((collection) =>
              many ? collection.updateMany(query, chosen) : collection.updateOne(one, chosen),
            );
            expect(here).toEqual(there);
            // How far it came before it failed depends on which it took first.
            if (many && 'code' in (here as object)) return;
            const [after, afterThere] = await state();
            expect(after).toEqual(afterThere);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
