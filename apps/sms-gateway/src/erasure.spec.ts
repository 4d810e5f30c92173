import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Sealed, SmsId } from '#libs/contracts';
import { connectionOptions } from '#libs/mongo';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { Clock } from '#libs/nest-service';
import { Lifecycle, Metrics, realHost } from '#libs/runtime';
import mongoose, { type Connection, type Model } from 'mongoose';
import { ErasureService, eraseAtOf } from './erasure.service.ts';
import { InboxMessage, InboxSchema } from './inbox.schema.ts';
import { OutboxSchema, OutboxText } from './outbox.schema.ts';

let server: MongoServer;
let connection: Connection;

const day = (n: number) => new Date(Date.UTC(2026, 0, n));
const sms = { from: '+254712000001', to: '+254700000001', text: 'k.x' as Sealed, media: 0, tries: 0 };

beforeAll(async () => {
  server = await startMongo();
  connection = await mongoose.createConnection(server.uri('erasure'), connectionOptions).asPromise();
});
afterAll(async () => {
  await connection.close();
  await server.stop();
});

const erasureOf = (inbox: Model<InboxMessage>, outbox: Model<OutboxText>) =>
  new ErasureService(inbox, outbox, new Lifecycle(realHost), new Clock(realHost, new Metrics(realHost)));

it('erases texts after 30 days, and never an id or what is still open', async () => {
  const inbox = connection.model<InboxMessage>(InboxMessage.name, InboxSchema);
  const outbox = connection.model<OutboxText>(OutboxText.name, OutboxSchema);
  await inbox.insertMany([
    { ...sms, _id: 'old' as SmsId, recordedAt: day(1), outcome: 'pay', eraseAt: eraseAtOf(day(1)) },
    { ...sms, _id: 'old, of 0.2.0' as SmsId, recordedAt: day(1), outcome: 'pay' },
    { ...sms, _id: 'open' as SmsId, recordedAt: day(1), nextTryAt: day(1), eraseAt: eraseAtOf(day(1)) },
    { ...sms, _id: 'new' as SmsId, recordedAt: day(2), outcome: 'pay', eraseAt: eraseAtOf(day(2)) },
    { ...sms, _id: 'new, of 0.2.0' as SmsId, recordedAt: day(2), outcome: 'pay' },
  ]);

  const erasure = erasureOf(inbox, outbox);
  const textsAfter = async (now: Date) => {
    await erasure.erase(now);
    return Object.fromEntries((await inbox.find().lean<InboxMessage[]>()).map(({ _id, text }) => [_id, text]));
  };
  expect(await textsAfter(new Date(day(31).getTime() + 1))).toEqual({
    old: undefined,
    'old, of 0.2.0': undefined,
    open: 'k.x',
    new: 'k.x',
    'new, of 0.2.0': 'k.x',
  });
  // What was open is looked at again a day later.
  await inbox.updateOne({ _id: 'open' as SmsId }, { $unset: { nextTryAt: 1 }, $set: { outcome: 'pay' } });
  expect(await textsAfter(new Date(day(33).getTime()))).toEqual({
    old: undefined,
    'old, of 0.2.0': undefined,
    open: undefined,
    new: undefined,
    'new, of 0.2.0': undefined,
  });

  const text = {
    to: '+254712000001',
    from: '+254700000001',
    language: 'en',
    text: 'k.x',
    told: 'k.y',
    carriesCode: false,
    sends: [],
    tries: 0,
  };
  const stored = { ...text, _id: 'SM1:answer:+254712000001', state: 'delivered', callbackId: 'one' };
  await outbox.insertOne({ ...stored, createdAt: day(1), eraseAt: eraseAtOf(day(1)) } as never);
  await erasure.erase(day(33));
  const left = await outbox.findById(stored._id).lean<OutboxText>();
  expect([left?.text, left?.told, left?.eraseAt]).toEqual([undefined, undefined, undefined]);
});

describe('what 0.2.0 stored', () => {
  let inbox: Model<InboxMessage>;
  let erasure: ErasureService;

  beforeEach(async () => {
    inbox = connection.model<InboxMessage>(InboxMessage.name, InboxSchema);
    await inbox.collection.drop().catch(() => undefined);
    erasure = erasureOf(inbox, connection.model<OutboxText>(OutboxText.name, OutboxSchema));
  });

  const store = (count: number, idOf: (n: number) => string, more: (n: number) => object) =>
    inbox.collection.insertMany(
      Array.from({ length: count }, (_, n) => ({ ...sms, _id: idOf(n), outcome: 'pay', ...more(n) })) as never,
    );
  const noTime = () => inbox.countDocuments({ text: { $exists: true }, eraseAt: { $exists: false } });

  it('gets its time behind a thousand that were erased, and where more than a page is of one moment', async () => {
    await store(
      1_000,
      (n) => `erased ${n}`,
      (n) => ({ text: undefined, recordedAt: new Date(day(1).getTime() + n) }),
    );
    await store(
      1_200,
      (n) => `of one moment ${n}`,
      () => ({ recordedAt: day(5) }),
    );
    await store(
      1,
      () => 'the next',
      () => ({ recordedAt: day(6) }),
    );
    await erasure.erase(day(32));
    expect(await noTime()).toBe(0);
    // 0.2.0 still runs beside it.
    await store(
      1,
      () => 'a late one',
      () => ({ recordedAt: day(7) }),
    );
    await erasure.erase(day(33));
    expect(await noTime()).toBe(0);
  }, 120_000);

  it('is erased once it is done, however old it was then', async () => {
    await store(
      1,
      () => 'open for long',
      () => ({ recordedAt: day(-30), nextTryAt: day(32), outcome: undefined }),
    );
    await erasure.erase(day(32));
    await inbox.updateOne({ _id: 'open for long' as SmsId }, { $unset: { nextTryAt: 1 }, $set: { outcome: 'pay' } });
    await erasure.erase(day(34));
    expect((await inbox.findById('open for long').lean<InboxMessage>())?.text).toBeUndefined();
  });
});

it('keeps the text of a dead letter that is driven again while it looks', async () => {
  const inbox = connection.model<InboxMessage>(InboxMessage.name, InboxSchema);
  await inbox.create({ ...sms, _id: 'dead', recordedAt: day(1), eraseAt: eraseAtOf(day(1)) } as never);
  const erasure = erasureOf(inbox, connection.model<OutboxText>(OutboxText.name, OutboxSchema));
  const update = inbox.updateMany.bind(inbox);
  jest.spyOn(inbox, 'updateMany').mockImplementationOnce(((...args: Parameters<typeof update>) => {
    // Between the find and the update.
    return inbox.updateOne({ _id: 'dead' as SmsId }, { $set: { nextTryAt: day(40) } }).then(() => update(...args));
  }) as never);
  await erasure.erase(day(40));
  expect((await inbox.findById('dead').lean<InboxMessage>())?.text).toBe('k.x');
});
