import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inboxPrefix, MakeTransfer } from '#libs/contracts';
import { connect, nkeyAuthenticator } from 'nats';
import { z } from 'zod';
import { PhonesPage } from './phones-page.ts';

/** Run by `helm test` in a pod of the release: looks at what only a running release can show. Ends with `N passed, N failed`. */
const settings = z.object({
  SERVICES: z.string().transform((list) => list.split(',')),
  GATEWAY: z.url(),
  /** Where something routes it to the gateway. */
  PUBLIC_URL: z.url().optional(),
  SIMULATOR: z.url().optional(),
  NATS_URL: z.string().min(1),
  /** The seed of notifications, which may ask for no transfer. */
  NATS_CREDS: z.string().min(1),
});
const { SERVICES, GATEWAY, PUBLIC_URL, SIMULATOR, NATS_URL, NATS_CREDS } = settings.parse(process.env);

const ANSWER_MAX_MS = 5_000;
const TEXT_MAX_MS = 20_000;

async function isReady(url: string): Promise<void> {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  if (answer.status !== 200) throw new Error(`${url}/health/ready answers ${answer.status}`);
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

async function refusesForbiddenSubject(): Promise<void> {
  const nats = await connect({
    servers: NATS_URL.split(','),
    inboxPrefix: inboxPrefix('notifications'),
    authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(NATS_CREDS, 'utf8').trim())),
    timeout: ANSWER_MAX_MS,
  });
  try {
    const code = await nats.request(MakeTransfer.subject, '{}', { timeout: ANSWER_MAX_MS }).then(
      () => 'an answer',
      (error: { code?: string }) => error.code,
    );
    if (code !== 'PERMISSIONS_VIOLATION') throw new Error(`notifications asked ${MakeTransfer.subject} and got ${code}`);
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
    await page.send(payer, `PAY 25 ${payee}`);
    const { match: quote } = await page.receives(payer, /Reply (\d{6})/, TEXT_MAX_MS);
    await page.send(payer, quote[1] ?? '');
    const { match: paid } = await page.receives(payer, /^Paid KES 25\.00 .* Ref (\w{7})$/, TEXT_MAX_MS);
    await page.receives(payee, new RegExp(`^You got KES 25\\.00 .* Ref ${paid[1]}$`), TEXT_MAX_MS);
  } finally {
    page.close();
  }
}

const newNumber = () => `+2547${String(randomInt(10 ** 8)).padStart(8, '0')}`;

const checks: [name: string, check: () => Promise<void>][] = [
  ...SERVICES.map((url): [string, () => Promise<void>] => [`${url} is ready`, () => isReady(url)]),
  ...[GATEWAY, PUBLIC_URL]
    .filter((url) => url !== undefined)
    .map((url): [string, () => Promise<void>] => [`a wrong signature is refused at ${url}`, () => refusesWrongSignature(url)]),
  ['a forbidden subject is refused', refusesForbiddenSubject],
];
if (SIMULATOR) checks.push(['two people pay, and both get receipts', () => paysBetweenTwo(SIMULATOR)]);

let failed = 0;
for (const [name, check] of checks) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${(error as Error).message}`);
  }
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
