import { deepEqual } from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Asker, ASKERS, inboxPrefix, permissionsOf, ReadLedger, refText, TRIED_SUBJECTS } from '#libs/contracts';
import { NatsLink, natsOptions, refusedOf, RpcClient } from '#libs/messaging';
import { Metrics, realHost } from '#libs/runtime';
import { connect } from '@nats-io/transport-node';
import { z } from 'zod';
import { PhonesPage } from './phones-page.ts';

/** Run by `helm test` in a pod of the release: looks at what only a running release can show. Ends with `N passed, N failed`. */
const list = z.string().transform((text) => text.split(',').filter(Boolean));
const settings = z.object({
  /** URLs of the services, and those of them that have a database. */
  SERVICES: list,
  WITH_DATABASE: list,
  GATEWAY: z.url(),
  /** Where something routes it to the gateway. */
  PUBLIC_URL: z.url().optional(),
  SIMULATOR: z.url().optional(),
  NATS_URL: z.string().min(1),
  NATS_CA: z.string().min(1),
  /** A folder with the seed of each credential under its name. */
  NATS_SEEDS: z.string().min(1),
});
const { SERVICES, WITH_DATABASE, GATEWAY, PUBLIC_URL, SIMULATOR, NATS_URL, NATS_CA, NATS_SEEDS } = settings.parse(process.env);

const ANSWER_MAX_MS = 5_000;
const TEXT_MAX_MS = 20_000;
/** The wallet's clock and ours may differ so much. */
const CLOCKS_MS = 3_000;

const natsOf = (asker: Asker) => ({ NATS_URL, NATS_CA, NATS_CREDS: join(NATS_SEEDS, asker) });

async function isReady(url: string): Promise<void> {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`it answers ${answer.status} ${text}`);
  // Up means: reached, and its unique indexes were read back.
  const { details } = JSON.parse(text) as { details?: { mongodb?: { status: string } } };
  if (WITH_DATABASE.includes(url) && details?.mongodb?.status !== 'up')
    throw new Error(`it says nothing of its database: ${text}`);
}

async function refusesWrongSignature(url: string): Promise<void> {
  const answer = await fetch(new URL('/sms/inbound', url), {
    method: 'POST',
    headers: { 'x-twilio-signature': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' },
    body: new URLSearchParams({ MessageSid: `SM${'0'.repeat(32)}`, From: '+254700000002', To: '+254700000001', Body: 'BAL' }),
    signal: AbortSignal.timeout(ANSWER_MAX_MS),
  });
  if (answer.status !== 403) throw new Error(`a wrong signature is answered ${answer.status}`);
}

async function mayDoNothingElse(asker: Asker): Promise<void> {
  const { publish, subscribe } = permissionsOf(asker);
  const own = `${inboxPrefix(asker)}.x`;
  const forbidden = {
    publish: TRIED_SUBJECTS.filter((subject) => !publish.includes(subject)),
    subscribe: TRIED_SUBJECTS.filter((subject) => subject !== own),
    queue: TRIED_SUBJECTS.filter((subject) => subject !== own && !subscribe.includes(`${subject} ${asker}`)),
  };
  const nats = await connect({ ...natsOptions(asker, natsOf(asker)), timeout: ANSWER_MAX_MS });
  try {
    const refused = {
      publish: await refusedOf(nats, forbidden.publish, (_, subject) => nats.publish(subject, '{}')),
      subscribe: await refusedOf(nats, forbidden.subscribe, (_, subject, callback) => nats.subscribe(subject, { callback })),
      queue: await refusedOf(nats, forbidden.queue, (_, subject, callback) =>
        nats.subscribe(subject, { callback, queue: asker }),
      ),
    };
    for (const act of ['publish', 'subscribe', 'queue'] as const) {
      const allowed = forbidden[act].filter((subject) => !refused[act].includes(subject));
      if (allowed.length > 0) throw new Error(`NATS lets ${asker} ${act}: ${allowed.join(', ')}`);
    }
  } finally {
    await nats.close();
  }
}

async function paysBetweenTwo(simulator: string): Promise<void> {
  const page = await PhonesPage.open(simulator);
  try {
    // Numbers of their own in each run: the database keeps those of earlier ones.
    const [payer, payee] = [newNumber(), newNumber()];
    for (const number of [payer, payee]) {
      await page.addPhone(number);
      await page.send(number, 'JOIN');
      await page.receives(number, /^Welcome/, TEXT_MAX_MS);
    }
    const since = new Date(Date.now() - CLOCKS_MS);
    await page.send(payer, `PAY 25 ${payee}`);
    const { match: quote } = await page.receives(payer, /Reply (\d{6})/, TEXT_MAX_MS);
    await page.send(payer, quote[1] ?? '');
    const { match: paid } = await page.receives(payer, /^Paid KES 25\.00 .* Ref (\w{7})$/, TEXT_MAX_MS);
    const [, ref = ''] = paid;
    await page.receives(payee, new RegExp(`^You got KES 25\\.00 .* Ref ${ref}$`), TEXT_MAX_MS);
    await isInLedger(since, payer, payee, ref);
  } finally {
    page.close();
  }
}

/** The ledger has one transfer under the reference, of 25.00 from one to the other. */
async function isInLedger(since: Date, payer: string, payee: string, ref: string): Promise<void> {
  const link = new NatsLink('simulator', natsOf('simulator'));
  try {
    await Promise.race([link.open(), pause(ANSWER_MAX_MS)]);
    const { entries, owners } = await new RpcClient(link, realHost, new Metrics(realHost)).ask(ReadLedger, {
      since,
      limit: 1000,
    });
    const transfers = entries.flatMap((entry) =>
      entry.result === 'made' && entry.ref !== undefined && refText(entry.ref) === ref
        ? [{ amount: entry.amount, from: owners[entry.debit.account]?.number, to: owners[entry.credit.account]?.number }]
        : [],
    );
    deepEqual(transfers, [{ amount: 2500n, from: payer, to: payee }]);
  } finally {
    await link.close();
  }
}

const newNumber = () => `+2547${String(randomInt(10 ** 8)).padStart(8, '0')}`;

const checks: [name: string, check: () => Promise<void>][] = [
  ...SERVICES.map((url): [string, () => Promise<void>] => [
    `${url} is ready${WITH_DATABASE.includes(url) ? ', its indexes read back' : ''}`,
    () => isReady(url),
  ]),
  ...[GATEWAY, PUBLIC_URL]
    .filter((url) => url !== undefined)
    .map((url): [string, () => Promise<void>] => [`a wrong signature is refused at ${url}`, () => refusesWrongSignature(url)]),
  ...ASKERS.filter((asker) => existsSync(join(NATS_SEEDS, asker))).map((asker): [string, () => Promise<void>] => [
    `NATS refuses ${asker} what the contracts do not give it`,
    () => mayDoNothingElse(asker),
  ]),
];
if (SIMULATOR) checks.push(['two people pay: both get receipts, and the ledger has it', () => paysBetweenTwo(SIMULATOR)]);

let failed = 0;
for (const [name, check] of checks) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    // fetch says why it failed only in its cause.
    const { message, cause } = error as Error;
    console.log(`FAILED  ${name}: ${cause instanceof Error ? cause.message : message}`);
  }
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
