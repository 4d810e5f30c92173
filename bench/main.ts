import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { DATABASES, Town } from '#libs/testing';
import { InvalidArgumentError, program } from 'commander';
import { mongo } from 'mongoose';
import type { BareSettings, BareWrites } from './bare.ts';
import { Helper } from './helper.ts';
import { askedUntilNow, hopsBetween } from './hops.ts';
import type { Load, LoadOrder, Measured, TwilioAccount } from './load.ts';
import { cpuMs } from './processes.ts';
import { report } from './report.ts';
import { type Collection, perSecondOf, quantile, type Results, sustainedBy, type Turn, type Way, WAYS } from './results.ts';

/** Enough to keep the cores busy on either way. */
const PAYERS = 32;
const ROUNDS = 3;
const WARM_UP_MS = 3_000;
const BARE_DATABASE = 'smspay_bench_bare';
/** Documents whose size is looked at. */
const SAMPLE = 200;

/** Where the whole way keeps what the bare way writes too. */
const OWNER = {
  inbox: 'sms-gateway',
  payments: 'transactions',
  transfers: 'wallet',
  outbox: 'sms-gateway',
} as const satisfies Record<Collection, keyof typeof DATABASES>;
const COLLECTIONS = Object.keys(OWNER) as Collection[];

const { seconds, json } = program
  .name('npm run bench --')
  .description('Payments a second of the whole way beside the bare way, in one run (bench/README.md)')
  .option('--seconds <n>', `how long each of the ${2 * ROUNDS + 2} turns is measured`, secondsOf, 12)
  .option('--json', 'print the results as JSON')
  .parse()
  .opts<{ seconds: number; json?: true }>();
const say = (line: string) => (json ? undefined : console.log(line));

const account: TwilioAccount = {
  accountSid: `AC${'0'.repeat(31)}2`,
  authToken: randomBytes(16).toString('hex'),
  number: '+254700000001',
};
const helpers: { stop(): Promise<void> }[] = [];
const closers: (() => Promise<unknown>)[] = [];
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => interrupt.abort(new Error(`ended by ${signal}`)));
const interrupted = once(interrupt.signal, 'abort').then(() => interrupt.signal.throwIfAborted());

try {
  const results = await Promise.race([bench(), interrupted]);
  if (results) console.log(json ? JSON.stringify(results, undefined, 2) : report(results));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await Promise.all(helpers.map((helper) => helper.stop()));
  for (const close of closers.toReversed()) await close().catch(() => undefined);
}

async function bench(): Promise<Results> {
  say('Starting a database, NATS and the four services …');
  const load = new Helper<LoadOrder>('load.ts');
  helpers.push(load);
  const apiUrl = await load.ask<string>({ do: 'listen', account });
  const town = await openTown(apiUrl);
  interrupt.signal.throwIfAborted();
  say(`  ${town.mongo.description}\n  ${town.nats.description}`);

  say('Opening wallets …');
  const whole = `${town.publicUrl}/sms/inbound`;
  await load.ask({ do: 'join', webhookUrl: whole });
  const bare = await startBare(town, apiUrl);
  const webhooks: Record<Way, string> = { whole, bare: `${await bare.hears<string>()}/sms/inbound` };

  const services = Object.fromEntries(town.processes.map(({ service, pid }) => [service, pid]));
  const processes: Record<Way, Record<string, number | undefined>> = {
    // The town's balancer is a part of this process, which does nothing else meanwhile.
    whole: { ...services, NATS: town.nats.pid, 'load balancer': process.pid },
    bare: { 'bare script': bare.pid },
  };
  const turn = async (way: Way, under: Load): Promise<Turn> => {
    const cpuNow = () =>
      Object.entries({ ...processes[way], MongoDB: town.mongo.pid, 'load generator': load.pid }).map(
        ([name, pid]) => [name, cpuMs(pid)] as const,
      );
    await load.ask({ do: 'begin', webhookUrl: webhooks[way], load: under });
    await pause(WARM_UP_MS);
    const askedBefore = await askedUntilNow(town);
    const cpuBefore = new Map(cpuNow());
    await load.ask({ do: 'count' });
    await pause(seconds * 1000);
    const cpuAfter = cpuNow();
    const askedAfter = await askedUntilNow(town);
    const measured = await load.ask<Measured>({ do: 'end' });
    const payments = measured.latenciesMs.length;
    if (payments === 0) throw new Error(`the ${way} way made no payment in ${seconds} s`);
    return {
      ...measured,
      way,
      cpuMs: Object.fromEntries(cpuAfter.map(([name, ms]) => [name, (ms - (cpuBefore.get(name) ?? NaN)) / payments])),
      hops: hopsBetween(askedBefore, askedAfter, measured),
    };
  };

  const minutes = Math.ceil(((2 * ROUNDS + 2) * (seconds + WARM_UP_MS / 1000)) / 60);
  say(`Paying, ${minutes} ${minutes === 1 ? 'minute' : 'minutes'} …`);
  const sustained: Turn[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of WAYS) {
      const done = await turn(way, { payers: PAYERS });
      sustained.push(done);
      say(`  ${way} way: ${perSecondOf(done).toFixed(1)} payments a second`);
    }
  }
  const atHalf = {
    whole: await turn('whole', { perSecond: sustainedBy('whole', sustained) / 2 }),
    bare: await turn('bare', { perSecond: sustainedBy('bare', sustained) / 2 }),
  };
  const bytes = { whole: await documentBytes(town, 'whole'), bare: await documentBytes(town, 'bare') };
  const { writes, payments } = await bare.ask<BareWrites>({});
  return {
    cores: availableParallelism(),
    node: process.version,
    mongodb: town.mongo.description,
    nats: town.nats.description,
    payers: PAYERS,
    sustained,
    atHalf,
    documentBytes: bytes,
    bareWrites: writes / payments,
  };
}

function openTown(apiUrl: string): Promise<Town> {
  const opening = Town.open({
    env: {
      TWILIO_API_URL: apiUrl,
      TWILIO_ACCOUNT_SID: account.accountSid,
      TWILIO_AUTH_TOKEN: account.authToken,
      // Nobody runs out of money.
      WELCOME_CREDIT: '1000000.00',
    },
  });
  // Also if it is interrupted before it is open.
  closers.push(() => opening.then((town) => town.close()));
  return opening;
}

/** The bare script, on a database of its own in the same server, with the indexes that the whole way has. */
async function startBare(town: Town, apiUrl: string): Promise<Helper<object>> {
  const database = town.client.db(BARE_DATABASE);
  await database.dropDatabase();
  closers.push(() => database.dropDatabase());
  for (const name of COLLECTIONS) {
    const indexes = await town.db(OWNER[name]).collection(name).indexes();
    await database.createCollection(name);
    for (const { key, name: index, unique, sparse } of indexes) {
      if (index !== '_id_') await database.createIndex(name, key, { ...(unique && { unique }), ...(sparse && { sparse }) });
    }
  }
  const settings: BareSettings = {
    BARE_MONGODB_URI: town.mongo.uri(BARE_DATABASE),
    TWILIO_API_URL: apiUrl,
    TWILIO_ACCOUNT_SID: account.accountSid,
    TWILIO_AUTH_TOKEN: account.authToken,
    SMS_NUMBER: account.number,
  };
  const bare = new Helper<object>('bare.ts', settings);
  helpers.push(bare);
  return bare;
}

/** The middle size of what payments left in each collection. */
async function documentBytes(town: Town, way: Way): Promise<Record<Collection, number>> {
  const sizes = COLLECTIONS.map(async (name) => {
    const database = way === 'whole' ? town.db(OWNER[name]) : town.client.db(BARE_DATABASE);
    // The wallets were opened with transfers too, which are smaller.
    const filter = name === 'transfers' ? { kind: 'payment' } : {};
    const documents = await database
      .collection(name)
      .find(filter, { sort: { _id: -1 }, limit: SAMPLE })
      .toArray();
    return [
      name,
      quantile(
        documents.map((document) => mongo.BSON.calculateObjectSize(document)),
        0.5,
      ),
    ] as const;
  });
  return Object.fromEntries(await Promise.all(sizes)) as Record<Collection, number>;
}

function secondsOf(text: string): number {
  const value = Number(text);
  if (value >= 1 && value <= 600) return value;
  throw new InvalidArgumentError(`must be a number from 1 to 600, got ${text}`);
}
