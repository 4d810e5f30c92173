import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { NextLetters, RequestOf, ListDeadLetters, WhichLetters } from '#libs/contracts';
import { connectionOptions } from '#libs/mongo';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { until } from '#libs/testing';
import { Clock } from '#libs/nest-service';
import { Metrics, realHost } from '#libs/runtime';
import mongoose, { type Connection, type Model } from 'mongoose';
import { DeadLettersService } from './dead-letters.service.ts';
import { InboxMessage, InboxSchema } from './inbox.schema.ts';
import { OutboxSchema, OutboxText } from './outbox.schema.ts';

let server: MongoServer;
let connection: Connection;
let outbox: Model<OutboxText>;
let letters: DeadLettersService;
let metrics: Metrics;

beforeAll(async () => {
  server = await startMongo();
  connection = await mongoose.createConnection(server.uri('letters'), connectionOptions).asPromise();
  outbox = connection.model<OutboxText>(OutboxText.name, OutboxSchema);
  await outbox.createIndexes();
});
afterAll(async () => {
  await connection.close();
  await server.stop();
});
beforeEach(async () => {
  await outbox.deleteMany({});
  metrics = new Metrics(realHost);
  const clock = new Clock(realHost, metrics);
  clock.set(new Date(), realHost.monotonicMs());
  const inbox = connection.model<InboxMessage>(InboxMessage.name, InboxSchema);
  letters = new DeadLettersService(inbox as never, outbox as never, clock, metrics);
});

const SENT = { state: 'queued', sends: [], tries: 20 };
const REFUSED = { state: 'failed', errorCode: 21_610 };
const refusal = (second: number) => ({ reason: 'provider error 21610', at: new Date(second * 1_000) });
const fault = (second: number, reason = 'a fault') => ({ reason, at: new Date(second * 1_000) });

/** Texts of ids from `first` on, one for each of `mores`. */
async function store(first: number, mores: readonly object[]): Promise<void> {
  const texts = mores.map((more, index) => ({
    ...SENT,
    _id: `SM${first + index}:answer:+254712000001`,
    to: '+254712000001',
    from: '+254700000001',
    language: 'en',
    carriesCode: false,
    callbackId: `text${first + index}`,
    createdAt: new Date(0),
    ...more,
  }));
  await outbox.collection.insertMany(texts as never);
}
const times = <T>(count: number, each: (index: number) => T) => Array.from({ length: count }, (_, index) => each(index));

/** Asks until nothing is left, and gives all answers. */
async function walk<Answer extends { next?: NextLetters | undefined }>(ask: (next?: NextLetters) => Promise<Answer>) {
  const answers = [await ask()];
  for (let next = answers[0]?.next; next && answers.length < 50; next = answers.at(-1)?.next) answers.push(await ask(next));
  return answers;
}
const listed = async (which: Omit<RequestOf<typeof ListDeadLetters>, 'limit'> = { box: 'outbox' }) =>
  (await walk((next) => letters.list({ ...which, ...next, limit: 100 }))).flatMap((answer) => answer.letters.map(({ id }) => id));
const replayed = (which: Omit<WhichLetters, 'box'> = {}) =>
  walk((next) => letters.replay({ box: 'outbox', ...which, ...next })).then((answers) => answers.map(({ done }) => done));
const counted = async (what: string) =>
  Number(new RegExp(`^smspay_dead_letters\\{what="${what}"\\} (\\d+)$`, 'm').exec(await metrics.text())?.[1]);

it('lists those given up, then those refused for good, page by page, many of one moment too', async () => {
  await store(
    0,
    times(150, () => ({ dead: fault(5) })),
  );
  await store(
    150,
    times(30, (n) => ({ dead: fault(6 + n) })),
  );
  await store(
    180,
    times(130, () => ({ ...REFUSED, refused: refusal(1) })),
  );
  const ids = await listed();
  expect(new Set(ids).size).toBe(310);
  expect(ids).toHaveLength(310);
  expect(ids.slice(0, 180).every((id) => Number(id.slice(4)) < 180)).toBe(true);
  expect(await listed({ box: 'outbox', reason: 'provider error 21610' })).toHaveLength(130);
  // As 0.2.0 asks.
  expect((await letters.list({ box: 'outbox', since: new Date(5_000), skip: 100, limit: 100 })).letters).toHaveLength(80);
});

it('reads a bounded part of the others to find what has a reason', async () => {
  await store(
    0,
    times(1_500, (n) => ({ dead: fault(n) })),
  );
  await store(1_500, [{ dead: fault(2_000, 'a rare one') }]);
  expect(await letters.replay({ box: 'outbox', reason: 'a rare one' })).toEqual({
    done: 0,
    more: true,
    next: { refused: false, since: new Date(999_000), skip: 1 },
  });
  expect(await replayed({ reason: 'a rare one' })).toEqual([0, 1]);
  expect(await outbox.countDocuments({ nextTryAt: { $exists: true } })).toBe(1);
});

it('replays all but what was refused for good, where many are of one moment and of 0.2.0', async () => {
  await store(
    0,
    times(500, (n) => (n % 2 ? { dead: fault(7) } : { ...REFUSED, dead: refusal(7) })),
  );
  await store(
    500,
    times(300, () => ({ ...REFUSED, refused: refusal(1) })),
  );
  const done = await replayed();
  expect(done.reduce((sum, each) => sum + each, 0)).toBe(250);
  expect(await outbox.countDocuments({ nextTryAt: { $exists: true }, state: 'queued' })).toBe(250);
  expect(await listed()).toHaveLength(550);
});

it.each([{ dead: refusal(1) }, { refused: refusal(1) }])(
  'replays and dismisses by id and by reason what was refused, stored as %j',
  async (stored) => {
    await store(
      1,
      times(4, () => ({ ...REFUSED, ...stored })),
    );
    expect(await listed()).toEqual(['text1', 'text2', 'text3', 'text4']);
    expect(await replayed({ ids: ['text1'] })).toEqual([1]);
    expect(await letters.dismiss({ box: 'outbox', ids: ['text2'] })).toEqual({ done: 1, more: false });
    expect(await letters.dismiss({ box: 'outbox', reason: 'a fault' })).toEqual({ done: 0, more: false });
    expect(await replayed({ reason: 'provider error 21610' })).toEqual([2]);
    const [again, away] = await Promise.all(['text1', 'text2'].map((callbackId) => outbox.findOne({ callbackId }).lean()));
    expect(again).toMatchObject({ state: 'queued', nextTryAt: expect.any(Date) });
    expect(away).toMatchObject({ state: 'failed' });
    for (const gone of ['dead', 'refused'])
      expect([again, away]).not.toContainEqual(expect.objectContaining({ [gone]: expect.anything() }));
    expect(await listed()).toEqual([]);
  },
);

// The last one: to delete so many takes its time.
it('counts a dead letter however many newer texts were refused for good, those of 0.2.0 too', async () => {
  await store(0, [{ dead: fault(1) }]);
  await store(
    1,
    times(10_100, (n) => ({ ...REFUSED, dead: refusal(2 + n) })),
  );
  await store(20_000, [{ ...REFUSED, refused: refusal(50_000) }]);
  await until(async () => (await counted('outbox')) === 1, { timeoutMs: 60_000, what: () => 'the dead letter to be counted' });
  expect(await counted('refused')).toBeGreaterThanOrEqual(10_000);
}, 120_000);
