import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connectionOptions, ensureIndexes } from '#libs/mongo';
import { Lifecycle, Metrics, realHost } from '#libs/process';
import { type MongoServer, startMongo } from '#libs/servers';
import mongoose, { type Connection, type Model } from 'mongoose';
import { Unavailable } from './faults.ts';
import { type Driven, Redrive } from './redrive.ts';

interface Job extends Driven {
  done?: number;
}

describe('what has no outcome', () => {
  let server: MongoServer;
  let connection: Connection;
  let jobs: Model<Job>;
  let lifecycle: Lifecycle;

  beforeAll(async () => {
    server = await startMongo();
    connection = await mongoose.createConnection(server.uri('redrive'), connectionOptions).asPromise();
    const schema = new mongoose.Schema<Job>(
      { _id: String, nextTryAt: Date, tries: Number, waits: Number, traceparent: String, dead: Object, done: Number },
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
  });
  afterEach(async () => {
    lifecycle.stop();
    await lifecycle.idle();
    await jobs.deleteMany();
  });

  const due = (id: string): Job => ({ _id: id, nextTryAt: new Date(), tries: 0 });
  const finish = (job: Job) => jobs.updateOne({ _id: job._id }, { $inc: { done: 1 }, $unset: { nextTryAt: 1 } });
  const redriveOf = (
    drive: (job: Job) => Promise<unknown>,
    { triesMax = 3, canDrive = (): boolean => true, inTurn = false } = {},
  ) =>
    new Redrive<Job>({
      model: jobs,
      what: 'job',
      drive: async (job) => void (await drive(job)),
      leaseMs: 2_000,
      triesMax,
      canDrive,
      inTurn,
      lifecycle,
      host: realHost,
      metrics: new Metrics(realHost),
    });
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

  it('that fails is a dead letter after its counted tries, and others are unhindered', async () => {
    await jobs.insertMany([due('poison'), due('fine')]);
    redriveOf((job) => (job._id === 'poison' ? Promise.reject(new Error('cannot')) : finish(job))).start();
    await stored('fine', (job) => job.done === 1);
    const poison = await stored('poison', (job) => job.dead !== undefined);
    expect(poison).toMatchObject({ tries: 3, dead: { reason: 'cannot' } });
    expect(poison.nextTryAt).toBeUndefined();
  });

  it('because of an outage counts no try', async () => {
    await jobs.insertMany([due('waits')]);
    let outages = 3;
    redriveOf((job) => (outages-- > 0 ? Promise.reject(new Unavailable('the wallet')) : finish(job)), { triesMax: 1 }).start();
    expect(await stored('waits', (job) => job.done === 1)).toMatchObject({ tries: 0 });
  });

  it('waits in the database while there is no room for it, and is then driven at once', async () => {
    let [driving, most] = [0, 0];
    const held = Promise.withResolvers<void>();
    const redrive = redriveOf(
      async (job) => {
        most = Math.max(most, ++driving);
        await held.promise;
        driving--;
        await finish(job);
      },
      { inTurn: true },
    );
    const arrives = async (id: string) => {
      const job = { ...due(id), nextTryAt: redrive.firstTryAt() };
      await jobs.insertOne(job);
      redrive.driveNow(job);
    };
    // No `start`: it looks for them when one of its own is done.
    for (let index = 0; index < 60; index++) await arrives(`job-${index}`);
    expect(driving).toBe(8);
    expect(await jobs.countDocuments({ nextTryAt: { $lte: new Date() } })).toBe(52);
    held.resolve();
    for (let index = 0; index < 60; index++) await stored(`job-${index}`, (job) => job.done === 1);
    expect(most).toBe(8);
  });

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
    const left = { ...due('left'), nextTryAt: redrive.firstTryAt() };
    await jobs.insertOne(left);
    redrive.driveNow(left);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await lifecycle.idle();
    expect(await jobs.findById('left').lean<Job>()).not.toHaveProperty('done');
    expect(left.nextTryAt <= new Date()).toBe(true);
  });
});
