import { createSecretKey } from 'node:crypto';
import { ledgerSource, type LedgerKeys, type LedgerReport, type TransferDocument, verify } from '#libs/ledger';
import type { mongo } from 'mongoose';
import { until } from './service-process.ts';

/** All of smspay, as its databases and its phones show it. */
export interface Checked {
  db(service: 'sms-gateway' | 'transactions' | 'wallet'): mongo.Db;
  ledgerKeys: LedgerKeys;
  /** Every SMS that was answered 2xx. */
  taken: Iterable<string>;
  /** What arrived at a phone from the services, each message of the provider. */
  textsTo(number: string): readonly { sid: string; body: string }[];
}

/** Checks I1–I7 against the databases and the phones, once everything has its outcome. Throws with all that is wrong. */
export async function checkInvariants(town: Checked, timeoutMs: number): Promise<void> {
  await quiet(town, timeoutMs);
  // I1–I3: the ledger, walked.
  const report = await verify(
    ledgerSource(town.db('wallet').collection<TransferDocument>('transfers')),
    town.ledgerKeys,
    'Africa/Nairobi',
  );
  const wrong = [
    ...ledgerProblems(report),
    ...brokenInvariants({
      inbox: await town.db('sms-gateway').collection<Stored>('inbox').find().toArray(),
      outbox: await town.db('sms-gateway').collection<Stored>('outbox').find().toArray(),
      payments: await town.db('transactions').collection<Stored>('payments').find().toArray(),
      pinChanges: await town.db('transactions').collection<Stored>('pin_changes').find().toArray(),
      pins: await town.db('wallet').collection<Stored>('pins').find().toArray(),
      transfers: await town.db('wallet').collection<Stored>('transfers').find().toArray(),
      taken: town.taken,
      textsTo: (number) => town.textsTo(number),
    }),
  ];
  if (wrong.length > 0) throw new Error(`invariants broken:\n${wrong.join('\n')}`);
}

/** I1–I3: what is wrong with a ledger that was walked. */
export function ledgerProblems({ problems, sums }: LedgerReport): string[] {
  const unbalanced = [...sums].filter(([, sum]) => sum !== 0n);
  return [
    ...problems.map((problem) => `ledger: ${problem}`),
    ...unbalanced.map(([currency, sum]) => `I1: all balances in ${currency} sum to ${sum}`),
  ];
}

/** The collections, and what the world outside saw, once everything has its outcome. */
export interface Ended extends Pick<Checked, 'taken' | 'textsTo'> {
  inbox: readonly Stored[];
  outbox: readonly Stored[];
  payments: readonly Stored[];
  pinChanges: readonly Stored[];
  pins: readonly Stored[];
  transfers: readonly Stored[];
}

/** I4–I7: one line for each that is broken. */
export function brokenInvariants({
  inbox,
  outbox,
  payments,
  pinChanges,
  pins,
  transfers: made,
  taken,
  textsTo,
}: Ended): string[] {
  const wrong: string[] = [];
  const claim = (holds: boolean, what: string) => holds || wrong.push(what);
  const transfers = new Map(made.map((transfer) => [transfer._id, transfer]));

  // I4: one outcome each, and no text twice at a phone.
  for (const sms of inbox) claim(sms['outcome'] !== undefined, `I4: SMS ${sms._id} has no outcome`);
  const sids = outbox.map((text) => text['sid']).filter((sid) => sid !== undefined);
  const known = new Set(sids);
  claim(known.size === sids.length, 'I4: two texts share a message of the provider');
  for (const to of new Set(outbox.map((text) => text['to'] as string)))
    for (const message of textsTo(to))
      claim(
        known.has(message.sid),
        `I4: ${to} got "${message.body.slice(0, 20)}…" as ${message.sid}, which the outbox does not know: a text was sent twice`,
      );
  for (const text of outbox)
    claim(
      ['delivered', 'undelivered', 'dropped', 'failed', 'sent', 'handed_over'].includes(text['state']),
      `I4: text ${text._id} is ${text['state']}`,
    );

  const tales = new Map<string, number>();
  for (const { _id } of outbox) {
    const tale = _id.slice(0, _id.lastIndexOf(':'));
    tales.set(tale, (tales.get(tale) ?? 0) + 1);
  }
  for (const payment of payments) {
    const transfer = transfers.get(`pay:${payment._id}`);
    const texts = (tale: string) => tales.get(`${payment._id}:${tale}`) ?? 0;
    switch (payment['state']) {
      case 'completed':
        // I5, I6.
        claim(
          transfer?.['kind'] === 'payment' && transfer['amount'] === payment['amount'],
          `I5: payment ${payment._id} is completed without its transfer`,
        );
        claim(
          texts('paid') === 1 && texts('received') === 1,
          `I6: payment ${payment._id} has ${texts('paid')} and ${texts('received')} receipts`,
        );
        break;
      case 'declined':
      case 'cancelled':
      case 'expired':
      case 'failed':
        claim(
          transfer?.['kind'] === 'refused',
          `I5: payment ${payment._id} is ${payment['state']}, its transfer is ${transfer?.['kind']}`,
        );
        claim(texts('not_paid') === 1, `I6: payment ${payment._id} was not told as ${payment['state']}`);
        break;
      default:
        claim(transfer === undefined, `I5: payment ${payment._id} is ${payment['state']} but has a ${transfer?.['kind']}`);
    }
  }
  // A PIN is set, or a wrong one counted, for who confirmed it alone, and they were told once; neither it nor its SMS is kept.
  const decided = new Map(
    pins.flatMap(({ inputs }) =>
      (inputs as { id: string; answer: { result: string } }[]).map(({ id, answer }) => [id, answer.result]),
    ),
  );
  for (const change of pinChanges) {
    const { state, answer, closedBy } = change;
    const told = tales.get(`${change._id}:pin_outcome`) ?? 0;
    const byCode = state === 'answered' || state === 'withdrawn';
    claim(told === (byCode ? 1 : 0), `I6: what became of PIN ${change._id}, which is ${state}, was told ${told} times`);
    claim(state !== 'confirmed', `I5: PIN ${change._id} was confirmed by ${closedBy}, and nothing came of it`);
    const result = decided.get(change._id);
    claim(
      result === undefined || answer?.result === result,
      `I5: PIN ${change._id} is ${result} in the wallet and ${state} here`,
    );
    claim(
      answer?.result !== 'set' || result === 'set',
      `I5: PIN ${change._id} was told as set, and the wallet does not know of it`,
    );
    claim(state === 'waits' || !(change['pin'] || change['old']), `F19: PIN ${change._id} is ${state} and still there`);
  }
  for (const sms of inbox)
    claim(sms['outcome'] !== 'pin' || !sms['text'], `F19: the text of SMS ${sms._id} says a PIN and is still there`);
  const ended = new Set(
    payments.filter((payment) => payment['state'] !== 'awaiting_confirmation').map((payment) => `pay:${payment._id}`),
  );
  for (const [id, transfer] of transfers) {
    if (id.startsWith('pay:')) claim(ended.has(id), `I6: ${id} (${transfer['kind']}) belongs to no ended payment`);
  }

  // I7: what was answered 2xx is recorded; what was told is true.
  const recorded = new Set(inbox.map((sms) => sms._id));
  for (const sid of taken) claim(recorded.has(sid), `I7: SMS ${sid} was answered 2xx and is not in the inbox`);
  return wrong;
}

/** The keys in a key file. */
export const keysOf = (file: string): LedgerKeys =>
  Object.entries(JSON.parse(file) as Record<string, string>).map(([id, key]) => ({
    id,
    key: createSecretKey(Buffer.from(key, 'base64')),
  }));

export interface Stored extends mongo.BSON.Document {
  _id: string;
}

/** Waits until nothing is under way: no SMS without outcome, nothing untold, no text not handed over. */
async function quiet(town: Checked, timeoutMs: number): Promise<void> {
  const left: Record<string, number> = {};
  await until(
    async () => {
      left['inbox'] = await town
        .db('sms-gateway')
        .collection('inbox')
        .countDocuments({ nextTryAt: { $exists: true } });
      left['untold'] = await town
        .db('transactions')
        .collection('payments')
        .countDocuments({ 'untold.0': { $exists: true } });
      left['pins'] = await town
        .db('transactions')
        .collection('pin_changes')
        .countDocuments({ $or: [{ 'untold.0': { $exists: true } }, { state: 'confirmed' }] });
      left['outbox'] = await town
        .db('sms-gateway')
        .collection('outbox')
        .countDocuments({ nextTryAt: { $exists: true } });
      return Object.values(left).every((count) => count === 0);
    },
    { timeoutMs, everyMs: 100, what: () => `nothing to be under way: ${JSON.stringify(left)}` },
  );
}
