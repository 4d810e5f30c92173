import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Msisdn, SmsId } from '#libs/contracts';
import { connectionOptions } from '#libs/mongo';
import { developmentSecrets, type MongoServer, startMongo } from '#libs/dev-servers';
import { keyFile, Lifecycle, Metrics, realHost } from '#libs/runtime';
import mongoose, { type Connection, type Model } from 'mongoose';
import { InboundService } from './inbound.service.ts';
import { InboxMessage, InboxSchema } from './inbox.schema.ts';

const NUMBER = '+254712000001' as Msisdn;
const second = (n: number) => new Date(n * 1_000);

let dir: string;
let server: MongoServer;
let connection: Connection;
let inbox: Model<InboxMessage>;
let lifecycle: Lifecycle;
let inbound: InboundService;
/** What the service awaits where it notes that somebody was heard. */
let heard: Promise<void>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'smspay-inbound-'));
  server = await startMongo();
  connection = await mongoose.createConnection(server.uri('inbound'), connectionOptions).asPromise();
  inbox = connection.model<InboxMessage>(InboxMessage.name, InboxSchema);
});
afterAll(async () => {
  await connection.close();
  await server.stop();
  await rm(dir, { recursive: true });
});
beforeEach(async () => {
  await inbox.deleteMany({});
  lifecycle = new Lifecycle(realHost);
  inbound = new InboundService(
    inbox,
    { heard: () => heard } as never,
    { connected: true, ask: async () => ({ result: 'no_wallet' }) } as never,
    { good: true, now: () => new Date() } as never,
    { time: async () => new Date() } as never,
    realHost,
    new Metrics(realHost),
    lifecycle,
    {
      DATA_KEYS: keyFile.parse(developmentSecrets(dir).DATA_KEYS),
      CURRENCY: 'KES',
      DEFAULT_REGION: 'KE',
      COUNTRIES: ['KE'],
      SMS_NUMBERS: { numbers: ['+254700000001'] },
    } as never,
  );
});

it('stops only when what is known of the number is written, too', async () => {
  const { promise, resolve: write } = Promise.withResolvers<void>();
  heard = promise;
  await inbound.take({ MessageSid: 'SM1', From: NUMBER, To: '+254700000001', Body: 'BAL', NumMedia: 0 } as never);
  lifecycle.stop();
  let stopped = false;
  const idle = lifecycle.idle().then(() => (stopped = true));
  await realHost.sleep(500);
  expect(stopped).toBe(false);
  write();
  await idle;
  expect((await inbox.findById('SM1').lean<InboxMessage>())?.outcome).toBe('no_wallet');
});

it('finds an SMS without an outcome among the newest 200 of its number in the time in question', async () => {
  const sms = (n: number, more: object = { outcome: 'help' }) => ({
    _id: `SM${n}` as SmsId,
    from: NUMBER,
    to: '+254700000001',
    media: 0,
    recordedAt: second(n),
    tries: 0,
    ...more,
  });
  await inbox.insertMany([sms(1, { nextTryAt: second(1) }), ...Array.from({ length: 199 }, (_, n) => sms(2 + n))]);
  const finds = (since: number, before: number) => inbound.hasNoOutcome(NUMBER, second(since), second(before));
  expect(await finds(1, 1_000)).toBe(true);
  expect(await finds(2, 1_000)).toBe(false);
  expect(await finds(0, 1)).toBe(false);
  await inbox.insertMany([sms(500)]);
  // Who floods us loses it.
  expect(await finds(1, 1_000)).toBe(false);
  expect(await finds(1, 500)).toBe(true);
});
