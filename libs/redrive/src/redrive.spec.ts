import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connectionOptions, ensureIndexes } from '#libs/mongo';
import { type Host, Lifecycle, Metrics, realHost, Unavailable } from '#libs/runtime';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import mongoose, { type Connection, type Model } from 'mongoose';
import { claimOf, type Driven, Redrive } from './redrive.ts';

interface Job extends Driven {
  done?: number;
}

const AT_ONCE = 8;

describe('what has no outcome', () => {
  let server: MongoServer;
  let connection: Connection;
  let jobs: Model<Job>;
  let lifecycle: Lifecycle;

  beforeAll(async () => {
    server = await startMongo();
    connection = await mongoose.createConnection(server.uri('redrive'), connectionOptions).asPromise();
    const schema = new mongoose.Schema<Job>(
      {
        _id: String,
        nextTryAt: Date,
        claim: String,
        tries: Number,
        waits: Number,
        failingSince: Date,
        traceparent: String,
        dead: Object,
        done: Number,
      },
      { versionKey: false, strict: 'throw' },
    ).index({ nextTryAt: 1 }, { sparse: true });
    jobs = connection.model<Job>('Job', schema);
    await ensureIndexes(connection);
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });
  beforeEach(() => {
    lifecycle = new Lifecycle(realHost);
    aheadMs = 0;
  });
  afterEach(async () => {
    lifecycle.stop();
    await lifecycle.idle();
    await jobs.deleteMany();
  });

  /** How far the time of all is ahead of that of this machine. */
  let aheadMs = 0;
  const clock = { now: () => new Date(Date.now() + aheadMs) };
  const due = (id: string): Job => ({ _id: id, nextTryAt: clock.now(), tries: 0 });
  const finish = (job: Job) => jobs.updateOne(claimOf(job), { $inc: { done: 1 }, $unset: { nextTryAt: 1, claim: 1 } });
  const redriveOf = (
    drive: (job: Job) => Promise<unknown>,
    { canDrive = (): boolean => true, inTurn = false, leaseMs = 2_000, host = realHost as Host } = {},
  ) =>
    new Redrive<Job>({
      model: jobs,
      what: 'job',
      drive: async (job) => void (await drive(job)),
      leaseMs,
      atOnce: AT_ONCE,
      givesUp: true,
      canDrive,
      inTurn,
      lifecycle,
      clock,
      host,
      metrics: new Metrics(realHost),
    });
  const until = async (look: () => boolean) => {
    for (const end = Date.now() + 45_000; !look(); await new Promise((resolve) => setTimeout(resolve, 20)))
      if (Date.now() > end) throw new Error('it did not come to that');
  };
  const stored = async (id: string, until: (job: Job) => boolean): Promise<Job> => {
    for (const end = Date.now() + 15_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const job = await jobs.findById(id).lean<Job>();
      if (job && until(job)) return job;
    }
    throw new Error(`${id} did not get there`);
  };

  it('is driven once, however many look for it', async () => {
    await jobs.insertMany(Array.from({ length: 30 }, (_, index) => due(`job-${index}`)));
    for (let process = 0; process < 4; process++) redriveOf(finish).start();
    for (let index = 0; index < 30; index++) await stored(`job-${index}`, (job) => job.done !== undefined);
    expect(await jobs.countDocuments({ done: 1 })).toBe(30);
  });

  it('that fails while others pass is a dead letter after many tries over hours, and others are unhindered', async () => {
    await jobs.insertMany([due('poison')]);
    redriveOf((job) =>
      job._id === 'poison' ? Promise.reject(new Error('cannot: SM1:paid:+254712345678')) : finish(job),
    ).start();
    for (let hour = 0; ; hour++) {
      await jobs.insertOne(due(`fine-${hour}`));
      await stored(`fine-${hour}`, (job) => job.done === 1);
      const poison = await stored(
        'poison',
        (job) => job.dead !== undefined || job.nextTryAt === undefined || job.nextTryAt > clock.now(),
      );
      if (poison.dead) {
        expect(poison).toMatchObject({ dead: { reason: 'cannot: SM1:paid:+2547****5678' } });
        expect(poison.nextTryAt).toBeUndefined();
        expect(poison.tries).toBeGreaterThanOrEqual(20);
        expect(poison.dead.at.getTime() - (poison.failingSince?.getTime() ?? 0)).toBeGreaterThanOrEqual(6 * 3_600_000);
        return;
      }
      // The next try is due.
      aheadMs += 16 * 60_000;
    }
  }, 120_000);

  it('because of an outage counts no try', async () => {
    await jobs.insertMany([due('waits')]);
    let outages = 3;
    redriveOf((job) => (outages-- > 0 ? Promise.reject(new Unavailable('the wallet')) : finish(job))).start();
    expect(await stored('waits', (job) => job.done === 1)).toMatchObject({ tries: 0 });
  });

  it('keeps its place while nothing passes, whatever the fault', async () => {
    await jobs.insertMany([due('one'), due('other')]);
    let away = true;
    let failures = 0;
    redriveOf(async (job) => {
      if (away) throw failures++ % 2 ? new Error('failed') : new Unavailable('the wallet');
      await finish(job);
    }).start();
    const free = (job: Job) => job.claim === undefined && job.nextTryAt !== undefined && job.nextTryAt < clock.now();
    // By the ninth it is known to be an outage, and not of one document.
    await until(() => failures >= 9);
    const before = [await stored('one', free), await stored('other', free)];
    await until(() => failures >= 12);
    expect([await stored('one', free), await stored('other', free)]).toEqual(before);
    away = false;
    for (const id of ['one', 'other']) expect(await stored(id, (job) => job.done === 1)).toMatchObject({ tries: 0 });
  }, 120_000);

  it('is closed, put off and given up by its claim alone', async () => {
    const job = due('lost');
    await jobs.insertOne(job);
    const begun = Promise.withResolvers<Job>();
    const goOn = Promise.withResolvers<void>();
    const slow = redriveOf(
      async (claimed) => {
        begun.resolve(claimed);
        await goOn.promise;
        throw new Unavailable('the wallet');
      },
      { leaseMs: 100 },
    );
    slow.start();
    const first = await begun.promise;
    lifecycle.stop();
    // Its lease is over, and another has the document.
    const other = await jobs.findOneAndUpdate({ _id: 'lost' }, { $set: { claim: 'another' } }, { new: true }).lean<Job>();
    expect(await slow.close(first, { done: 7 })).toBe(false);
    goOn.resolve();
    await lifecycle.idle();
    expect(await jobs.findById('lost').lean<Job>()).toEqual(other);
  });

  it.each([true, false])(
    'waits in the database while there is no room for it, however many come at once (in turn: %s)',
    async (inTurn) => {
      let [driving, most] = [0, 0];
      const held = Promise.withResolvers<void>();
      const redrive = redriveOf(
        async (job) => {
          most = Math.max(most, ++driving);
          await held.promise;
          driving--;
          await finish(job);
        },
        { inTurn },
      );
      const arrives = (id: string) =>
        redrive.begin(async (first) => {
          const job = { ...due(id), ...first };
          await jobs.insertOne(job);
          return job;
        });
      // No `start`: it looks for them when one of its own is done.
      await Promise.all(Array.from({ length: 60 }, (_, index) => arrives(`job-${index}`)));
      expect(driving).toBe(AT_ONCE);
      expect(await jobs.countDocuments({ nextTryAt: { $lte: new Date() } })).toBe(60 - AT_ONCE);
      held.resolve();
      for (let index = 0; index < 60; index++) await stored(`job-${index}`, (job) => job.done === 1);
      expect(most).toBe(AT_ONCE);
    },
  );

  it('has its room again where it could not be stored', async () => {
    const redrive = redriveOf(finish);
    for (let index = 0; index < 2 * AT_ONCE; index++)
      await expect(redrive.begin(() => Promise.reject(new Error('not stored')))).rejects.toThrow('not stored');
    await redrive.begin(async (first) => {
      const job = { ...due('last'), ...first };
      await jobs.insertOne(job);
      return job;
    });
    await stored('last', (job) => job.done === 1);
  });

  it('of which one alone fails, again and again, while nobody else comes, is no outage', async () => {
    const at = new Map<string, number>();
    redriveOf(async (job) => {
      at.set(job._id, performance.now());
      if (job._id === 'poison') throw new Error('a bug');
      await finish(job);
    }).start();
    await jobs.insertOne({ ...due('poison'), waits: 0 });
    await stored('poison', (job) => (job.waits ?? 0) + job.tries >= 4);
    // Each of many fails: it is due all the time.
    for (let index = 0; index < 12; index++) {
      await jobs.updateOne({ _id: 'poison' }, { $set: { nextTryAt: new Date() }, $unset: { claim: 1 } });
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await jobs.insertOne(due('other'));
    const begunMs = performance.now();
    await stored('other', (job) => job.done === 1);
    expect((at.get('other') ?? Infinity) - begunMs).toBeLessThan(2_500);
  }, 60_000);

  it('is not put off while it cannot be driven', async () => {
    const job = due('patient');
    await jobs.insertOne(job);
    let back = false;
    redriveOf(finish, { canDrive: () => back }).start();
    // Twice the longest pause between two looks.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await jobs.findById('patient').lean<Job>()).toMatchObject({ nextTryAt: job.nextTryAt, tries: 0 });
    back = true;
    await stored('patient', (found) => found.done === 1);
  });

  it('is left to the next process when this one stops', async () => {
    lifecycle.stop();
    const redrive = redriveOf(finish);
    redrive.start();
    let left = due('left');
    await redrive.begin(async (first) => {
      left = { ...left, ...first };
      await jobs.insertOne(left);
      return left;
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await lifecycle.idle();
    expect(await jobs.findById('left').lean<Job>()).not.toHaveProperty('done');
    expect(left.nextTryAt?.getTime()).toBeLessThanOrEqual(Date.now());
  });
});
