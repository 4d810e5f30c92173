import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isDuplicateKey } from '#libs/mongo';
import type { Connection, mongo } from 'mongoose';
import { connectTo } from './database.ts';
import { databaseUri } from './settings.ts';

const CLIENTS = 8;
const ROUNDS = 20;
const SKEW_MAX_MS = 2_000;
const LOST_CONNECTIONS = 30;
const LOSE_AFTER_MAX_MS = 6;

interface Scratch {
  _id: string;
  leg?: { account: string; seq: number };
  version?: number;
  total?: bigint;
}

/** Several connections to the scratch collection, as several processes would have. */
interface Bench {
  uri: string;
  name: string;
  connection: Connection;
  collections: mongo.Collection<Scratch>[];
  first: mongo.Collection<Scratch>;
}

/** Each throws with what it saw if the engine does not hold what money rests on. */
const CHECKS: Record<string, (bench: Bench) => Promise<void>> = {
  'a majority-committed write is asked for and confirmed': isReplicated,
  'clocks are within 2 s of each other': clocksAgree,
  '64-bit integers come back as they went': integersSurvive,
  'the unique index is read back as unique, and passes over documents without its fields': uniqueIsSparse,
  'of many inserts with one unique key at once, one succeeds and the others are duplicates': uniqueRaces,
  'an ordered insertMany with a duplicate in it stores what stands before it and nothing else': orderedPrefix,
  'of many conditional updates of one version at once, one succeeds': conditionalUpdates,
  'an acknowledged write is read by everyone from then on': readsOwnMajority,
  'after a lost reply the id says whether it was stored, and writing again doubles nothing': lostReplies,
};

/** Checks that a database engine holds what the ledger rests on. Prints each check; false if one fails. */
export async function checkDatabase(): Promise<boolean> {
  const uri = databaseUri();
  const name = `check_${randomBytes(6).toString('hex')}`;
  const connection = await connectTo(uri);
  const connections = [connection, ...(await Promise.all(Array.from({ length: CLIENTS - 1 }, () => connectTo(uri))))];
  const collections = connections.map((each) => each.collection<Scratch>(name));
  const first = connection.collection<Scratch>(name);
  let failed = 0;
  try {
    await first.createIndex({ 'leg.account': 1, 'leg.seq': 1 }, { unique: true, sparse: true });
    for (const [what, check] of Object.entries(CHECKS)) {
      try {
        await check({ uri, name, connection, collections, first });
        console.log(`ok      ${what}`);
      } catch (error) {
        failed++;
        console.log(`FAILED  ${what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    await first.drop().catch(() => console.log(`the scratch collection ${name} could not be dropped: drop it`));
    await Promise.all(connections.map((each) => each.close()));
  }
  console.log(failed === 0 ? 'the ledger can rest on this database' : `${failed} checks failed: no money on this database`);
  return failed === 0;
}

async function isReplicated({ connection, first }: Bench): Promise<void> {
  const hello = await connection.getClient().db('admin').command({ hello: 1 });
  must(Boolean(hello?.['setName'] || hello?.['msg'] === 'isdbgrid'), 'it is no replica set: a write is lost with its only copy');
  const { acknowledged } = await first.insertOne({ _id: 'majority' });
  must(acknowledged, 'a majority write was not acknowledged');
}

async function clocksAgree({ connection }: Bench): Promise<void> {
  const before = Date.now();
  const hello = await connection.getClient().db('admin').command({ hello: 1 });
  const skewMs = Math.round(Number(hello?.['localTime']) - (before + Date.now()) / 2);
  must(Math.abs(skewMs) <= SKEW_MAX_MS, `the database's is ${skewMs} ms ahead of this machine's`);
}

async function integersSurvive({ first }: Bench): Promise<void> {
  for (const total of [0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
    const _id = `integer ${total}`;
    await first.insertOne({ _id, total });
    const stored = await first.findOne({ _id });
    must(stored?.total === total, `${total} came back as ${stored?.total}`);
  }
}

async function uniqueIsSparse({ first }: Bench): Promise<void> {
  const indexes = await first.listIndexes().toArray();
  const index = indexes.find(({ key }) => JSON.stringify(key) === '{"leg.account":1,"leg.seq":1}');
  must(index?.['unique'] === true && index['sparse'] === true, `it is read back as ${JSON.stringify(index)}`);
  await first.insertMany([{ _id: 'no leg 1' }, { _id: 'no leg 2' }]);
}

async function uniqueRaces({ collections }: Bench): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const outcomes = await Promise.allSettled(
      collections.map((collection, n) =>
        collection.insertOne({ _id: `race ${round} ${n}`, leg: { account: 'race', seq: round } }),
      ),
    );
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    must(errors.length === CLIENTS - 1, `${CLIENTS - errors.length} of ${CLIENTS} inserts of one key succeeded`);
    must(errors.every(isDuplicateKey), `an insert failed with ${String(errors.find((error) => !isDuplicateKey(error)))}`);
  }
}

async function orderedPrefix({ first, collections: [, other] }: Bench): Promise<void> {
  const batch = Array.from({ length: 10 }, (_, seq) => ({ _id: `batch ${seq}`, leg: { account: 'batch', seq } }));
  await first.insertOne({ _id: 'in the way', leg: { account: 'batch', seq: 6 } });
  const error: unknown = await first.insertMany(batch, { ordered: true }).catch((caught: unknown) => caught);
  must(isDuplicateKey(error), `it ended with ${String(error)}`);
  const stored = await other?.find({ 'leg.account': 'batch', _id: { $ne: 'in the way' } } as mongo.Filter<Scratch>).toArray();
  const seqs = stored?.map(({ leg }) => leg?.seq).sort();
  must(JSON.stringify(seqs) === '[0,1,2,3,4,5]', `it stored ${JSON.stringify(seqs)} where [0,1,2,3,4,5] is due`);
}

async function conditionalUpdates({ collections, first }: Bench): Promise<void> {
  await first.insertOne({ _id: 'counter', version: 0 });
  for (let version = 0; version < ROUNDS; version++) {
    const outcomes = await Promise.all(
      collections.map((collection) => collection.updateOne({ _id: 'counter', version }, { $set: { version: version + 1 } })),
    );
    const winners = outcomes.filter(({ modifiedCount }) => modifiedCount === 1).length;
    must(winners === 1, `${winners} of ${CLIENTS} updates of version ${version} succeeded`);
  }
}

async function readsOwnMajority({ collections, first }: Bench): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const _id = `read ${round}`;
    await first.insertOne({ _id });
    const seen = await Promise.all(collections.map((collection) => collection.findOne({ _id })));
    must(
      seen.every((document) => document !== null),
      `${seen.filter((document) => document === null).length} of ${CLIENTS} connections did not see it`,
    );
  }
}

async function lostReplies({ uri, name, first, collections: [, other] }: Bench): Promise<void> {
  let [lost, stored] = [0, 0];
  for (let round = 0; round < LOST_CONNECTIONS; round++) {
    const document = { _id: `lost ${round}`, leg: { account: 'lost', seq: round } };
    const doomed = await connectTo(uri);
    const insert = doomed.collection<Scratch>(name).insertOne(document);
    // Closed somewhere between the request and its reply.
    const closed = pause((round / LOST_CONNECTIONS) * LOSE_AFTER_MAX_MS).then(() => doomed.close(true));
    const acknowledged = await insert.then(
      () => true,
      () => false,
    );
    await closed;
    const found = await first.findOne({ _id: document._id });
    must(!acknowledged || found !== null, 'an acknowledged insert is not there');
    if (!acknowledged) lost++;
    if (!acknowledged && found) stored++;
    const again: unknown = await first.insertOne(document).catch((caught: unknown) => caught);
    must(!found || isDuplicateKey(again), 'what was read by its id was inserted once more');
    const count = await other?.countDocuments({ 'leg.account': 'lost', 'leg.seq': round } as mongo.Filter<Scratch>);
    must(count === 1, `it is there ${count} times`);
  }
  console.log(`        (${lost} of ${LOST_CONNECTIONS} replies were lost, ${stored} of those inserts had been stored)`);
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
