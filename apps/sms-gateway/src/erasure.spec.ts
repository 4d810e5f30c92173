import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Sealed, SmsId } from '#libs/contracts';
import { connectionOptions } from '#libs/mongo';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { Clock } from '#libs/nest-service';
import { Lifecycle, Metrics, realHost } from '#libs/runtime';
import mongoose, { type Connection } from 'mongoose';
import { ErasureService, eraseAtOf } from './erasure.service.ts';
import { InboxMessage, InboxSchema } from './inbox.schema.ts';
import { OutboxSchema, OutboxText } from './outbox.schema.ts';

let server: MongoServer;
let connection: Connection;

beforeAll(async () => {
  server = await startMongo();
  connection = await mongoose.createConnection(server.uri('erasure'), connectionOptions).asPromise();
});
afterAll(async () => {
  await connection.close();
  await server.stop();
});

it('erases texts after 30 days, and never an id or what is still open', async () => {
  const inbox = connection.model<InboxMessage>(InboxMessage.name, InboxSchema);
  const outbox = connection.model<OutboxText>(OutboxText.name, OutboxSchema);
  const day = (n: number) => new Date(Date.UTC(2026, 0, n));
  const sms = { from: '+254712000001', to: '+254700000001', text: 'k.x' as Sealed, media: 0, tries: 0 };
  await inbox.insertMany([
    { ...sms, _id: 'old' as SmsId, recordedAt: day(1), outcome: 'pay', eraseAt: eraseAtOf(day(1)) },
    { ...sms, _id: 'old, of 0.2.0' as SmsId, recordedAt: day(1), outcome: 'pay' },
    { ...sms, _id: 'open' as SmsId, recordedAt: day(1), nextTryAt: day(1), eraseAt: eraseAtOf(day(1)) },
    { ...sms, _id: 'new' as SmsId, recordedAt: day(2), outcome: 'pay', eraseAt: eraseAtOf(day(2)) },
    { ...sms, _id: 'new, of 0.2.0' as SmsId, recordedAt: day(2), outcome: 'pay' },
  ]);

  const erasure = new ErasureService(inbox, outbox, new Lifecycle(realHost), new Clock(realHost, new Metrics(realHost)));
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
