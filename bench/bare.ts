import { randomBytes, randomInt } from 'node:crypto';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { connectionOptions } from '#libs/mongo';
import { mongo } from 'mongoose';
import { validateRequest } from 'twilio/lib/webhooks/webhooks.js';

/**
 * The bare way of a payment: the HTTP exchanges and the 21 writes of README.md and nothing else. No rule is checked, nothing is read, and
 * a crash loses what is under way: it is what the whole way is measured by. Says its URL by itself, and `BareWrites` when asked anything.
 */
export interface BareSettings extends Record<string, string> {
  BARE_MONGODB_URI: string;
  TWILIO_API_URL: string;
  TWILIO_ACCOUNT_SID: string;
  TWILIO_AUTH_TOKEN: string;
  SMS_NUMBER: string;
}

/** All until now. */
export interface BareWrites {
  payments: number;
  writes: number;
}

type Form = Record<string, string>;
interface Stored {
  _id: string;
  [field: string]: unknown;
}
interface Person {
  number: string;
  name: string;
  link: string;
  walletId: string;
  language: string;
}
interface OpenPayment {
  id: string;
  payer: Person;
  payee: Person;
}

process.on('disconnect', () => process.exit());

const setting = (name: keyof BareSettings & string): string => process.env[name] ?? '';
const token = setting('TWILIO_AUTH_TOKEN');
const accountSid = setting('TWILIO_ACCOUNT_SID');
const ours = setting('SMS_NUMBER');
const messagesUrl = `${setting('TWILIO_API_URL')}/2010-04-01/Accounts/${accountSid}/Messages.json`;
const authorization = `Basic ${Buffer.from(`${accountSid}:${token}`).toString('base64')}`;
const agent = new Agent({ keepAlive: true, maxSockets: 50 });

const { writeConcern, readConcern, retryWrites, maxPoolSize } = connectionOptions;
const client = new mongo.MongoClient(setting('BARE_MONGODB_URI'), { writeConcern, readConcern, retryWrites, maxPoolSize });
const db = (await client.connect()).db();
const inbox = db.collection<Stored>('inbox');
const outbox = db.collection<Stored>('outbox');
const payments = db.collection<Stored>('payments');
const transfers = db.collection<Stored>('transfers');

const openPayments = new Map<string, OpenPayment>();
let seq = 0;
const made: BareWrites = { payments: 0, writes: 0 };

const server = createServer((incoming, outgoing) => void take(incoming, outgoing).catch(fail)).listen(0, '127.0.0.1');
server.once('listening', () => process.send?.(publicUrl()));
process.on('message', () => process.send?.(made));

const publicUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}

async function take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const path = incoming.url ?? '';
  const form: Form = Object.fromEntries(new URLSearchParams(await text(incoming)));
  if (!validateRequest(token, String(incoming.headers['x-twilio-signature']), publicUrl() + path, form)) {
    outgoing.writeHead(403).end();
  } else if (path.startsWith('/sms/inbound')) {
    await storeSms(form);
    outgoing
      .writeHead(200, { 'content-type': 'text/xml; charset=utf-8' })
      .end('<?xml version="1.0" encoding="UTF-8"?><Response></Response>');
    await (form['Body']?.startsWith('PAY') ? open(form) : complete(form)).catch(fail);
  } else {
    await storeDelivered(path.slice(path.indexOf('=') + 1), form);
    outgoing.writeHead(204).end();
  }
}

/** Write 1 of an SMS. */
async function storeSms({ MessageSid = '', From, To, Body = '' }: Form): Promise<void> {
  await insert(inbox, {
    _id: MessageSid,
    from: From,
    to: To,
    text: sealed(Body),
    media: 0,
    recordedAt: new Date(),
    nextTryAt: soon(),
    tries: 0,
    traceparent: traceparent(),
  });
}

/** Write 2 of an SMS. */
async function closeSms(id: string, outcome: string): Promise<void> {
  await update(inbox, { _id: id }, { $set: { outcome }, $unset: { nextTryAt: 1 } });
}

/** A PAY: the payment is stored and its quote told. */
async function open({ MessageSid: id = '', From: from = '', Body = '' }: Form): Promise<void> {
  const payer = personOf(from);
  const payee = personOf(Body.split(' ')[2]?.replace(/^0/, '+254') ?? '');
  const openedAt = new Date();
  const terms = { origin: 'pay', way: 'direct', payer, payee, amount: 2500n, fee: 10n, currency: 'KES', memo: 'lunch', openedAt };
  await insert(payments, {
    ...terms,
    _id: id,
    state: 'awaiting_confirmation',
    ref: randomBytes(4).readUInt32BE(),
    dropAt: soon(),
    endsAt: soon(),
    refuseAt: soon(),
    codeDigits: 6,
    codeN: 0,
    version: 0,
    untold: ['quote'],
    tries: 0,
    nextTryAt: soon(),
    traceparent: traceparent(),
  });
  openPayments.set(from, { id, payer, payee });
  const code = randomInt(100_000, 1_000_000);
  const quote = `Pay KES 25.00 to A** ${payee.number} "lunch", fee KES 0.10? Reply ${code} within 10 min to pay. Not you? Ignore this.`;
  await Promise.all([
    closeSms(id, 'pay'),
    tell(id, { version: 1, nextTryAt: soon() }, [{ tale: 'quote', to: payer, body: quote, dropAt: soon() }]),
  ]);
}

/** A code: the transfer is made, the payment decided, and both people told. */
async function complete({ MessageSid: smsId = '', From: from = '' }: Form): Promise<void> {
  const open = openPayments.get(from);
  if (!open) throw new Error(`a code from ${from}, who has nothing open`);
  openPayments.delete(from);
  made.payments++;
  const { id, payer, payee } = open;
  const at = new Date();
  const leg = { seq: ++seq, total: 2510n, prev: randomBytes(32).toString('hex') };
  await insert(transfers, {
    _id: `pay:${id}`,
    kind: 'payment',
    currency: 'KES',
    amount: 2500n,
    debit: { ...leg, account: `wallet:${payer.walletId}`, dayTotal: 0n, monthTotal: 0n, frozen: false, tier: 0 },
    credit: { ...leg, account: `wallet:${payee.walletId}`, lane: 0, tier: 0 },
    fee: { ...leg, account: 'fees:KES', lane: 0, amount: 10n },
    paymentId: id,
    ref: randomBytes(4).readUInt32BE(),
    cause: smsId,
    memo: 'lunch',
    at,
    hash: randomBytes(32).toString('hex'),
  });
  await update(
    payments,
    { _id: id },
    {
      $set: {
        state: 'completed',
        payerBalance: 99_997_490n,
        payeeBalance: 100_002_500n,
        closedBy: smsId,
        untold: ['paid', 'received'],
        version: 2,
        tries: 0,
        waits: 0,
        nextTryAt: soon(),
      },
    },
  );
  const paid = 'Paid KES 25.00 to A** 5678. Balance KES 999,974.90. Ref 2K7DQ4M';
  const received = 'You got KES 25.00 from A** 4321 "lunch". Balance KES 1,000,025.00. Ref 2K7DQ4M';
  await Promise.all([
    closeSms(smsId, 'code'),
    tell(id, { version: 3 }, [
      { tale: 'paid', to: payer, body: paid },
      { tale: 'received', to: payee, body: received },
    ]),
  ]);
}

interface Text {
  tale: string;
  to: Person;
  body: string;
  dropAt?: Date;
}

/** Stores texts, marks the payment told, and meanwhile sends them. Without a time for the next look at the payment there is none. */
async function tell(paymentId: string, told: { version: number; nextTryAt?: Date }, texts: Text[]): Promise<void> {
  const queued = texts.map((one) => ({
    ...one,
    id: `${paymentId}:${one.tale}:${one.to.number}`,
    callbackId: randomBytes(12).toString('hex'),
  }));
  await Promise.all(
    queued.map(({ id, callbackId, to, body, dropAt }) =>
      insert(outbox, {
        _id: id,
        to: to.number,
        link: to.link,
        language: to.language,
        from: ours,
        text: sealed(body),
        carriesCode: dropAt !== undefined,
        ...(dropAt ? { dropAt } : {}),
        createdAt: new Date(),
        state: 'queued',
        callbackId,
        sends: [],
        tries: 0,
        nextTryAt: soon(),
        traceparent: traceparent(),
      }),
    ),
  );
  await Promise.all([
    update(
      payments,
      { _id: paymentId },
      { $set: { ...told, untold: [], tries: 0, waits: 0 }, ...(told.nextTryAt ? {} : { $unset: { nextTryAt: 1 } }) },
    ),
    ...queued.map((one) => send(one)),
  ]);
}

/** Writes 2 and 3 of a text, with its POST between them. */
async function send({ id, callbackId, to, body }: { id: string; callbackId: string; to: Person; body: string }): Promise<void> {
  await update(outbox, { _id: id, state: 'queued' }, { $set: { state: 'trying', sends: [new Date()], nextTryAt: soon() } });
  const sid = await post({
    To: to.number,
    From: ours,
    Body: body,
    StatusCallback: `${publicUrl()}/sms/status?text=${callbackId}`,
  });
  await update(outbox, { _id: id, state: 'trying' }, { $set: { state: 'handed_over', sid }, $unset: { nextTryAt: 1 } });
}

/** Write 4 of a text. It may come before the third, which then changes nothing, as on the whole way. */
async function storeDelivered(callbackId: string, { MessageSid }: Form): Promise<void> {
  await update(
    outbox,
    { callbackId, state: { $in: ['queued', 'trying', 'handed_over', 'sent'] } },
    { $set: { state: 'delivered', sid: MessageSid }, $unset: { nextTryAt: 1 } },
  );
}

/** One text to Twilio; its SID. */
function post(form: Form): Promise<string> {
  const body = new URLSearchParams(form).toString();
  const headers = {
    authorization,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    request(messagesUrl, { method: 'POST', agent, headers }, (response) => {
      text(response).then((answer) => resolve((JSON.parse(answer) as { sid: string }).sid), reject);
    })
      .once('error', reject)
      .end(body);
  });
}

async function insert(collection: mongo.Collection<Stored>, document: Stored): Promise<void> {
  await collection.insertOne(document);
  made.writes++;
}

async function update(
  collection: mongo.Collection<Stored>,
  filter: mongo.Filter<Stored>,
  change: mongo.UpdateFilter<Stored>,
): Promise<void> {
  await collection.updateOne(filter, change);
  made.writes++;
}

function personOf(number: string): Person {
  return { number, name: 'Ada', link: `${number}:1`, walletId: number.slice(1).padStart(32, '0'), language: 'en' };
}

/** As long as the real ones, and as hard to compress: they lie on the same disk. */
const sealed = (body: string) => `development-1.${randomBytes(12 + body.length + 16).toString('base64url')}`;
const traceparent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
const soon = () => new Date(Date.now() + 10_000);
