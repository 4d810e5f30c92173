import { type AccountId, feesAccount } from '#libs/contracts';
import { hashState, type PostedTransfer, type TransferDocument } from '#libs/ledger';
import type { Message } from '#libs/simulated-twilio';
import type { DATABASES, Stored } from '#libs/testing';
import { CODE_MINUTES, KEYS, REQUEST_HOURS } from './services.ts';

const MINUTE_MS = 60_000;
/** What a clock may be off and still be believed. */
const CLOCK_SLACK_MS = 5_000;
const OPEN_MAX = 5;
const HELP_EVERY_MS = 5 * MINUTE_MS;
const GUESSES_MAX = 5;
const HOUR_MS = 60 * MINUTE_MS;
/** So many answers of a PIN are always known. */
const KNOWN_MIN = 20;

/** The order in which a text's states may follow each other; a try that was not taken goes back to `queued`. */
const RANK: Record<string, number> = {
  queued: 0,
  trying: 0,
  handed_over: 2,
  sent: 3,
  delivered: 4,
  undelivered: 4,
  failed: 4,
  dropped: 4,
};
const OPEN: ReadonlySet<string> = new Set(['awaiting_confirmation', 'awaiting_approval']);

/** What the model looks at of the world. */
export interface Looks {
  nowMs: () => number;
  /** Majority-committed documents. */
  committed: (service: keyof typeof DATABASES, collection: string, id: string) => Stored | undefined;
  /** True if the provider's list did not show a message when it was asked for its receiver. */
  missed: (sid: string) => boolean;
}

/**
 * What must hold at every moment (docs/reliability.md, "Invariants"), kept as simply as it can be said: it adds up money, remembers who was told what,
 * and compares. Every change is looked at when the majority of the database has it, every text when it arrives.
 */
export class Model {
  /** Messages of texts that were rightly sent again, since the list of the provider had missed them. */
  readonly sentAgain = new Set<string>();
  /** What is broken, one line each. */
  readonly broken: string[] = [];
  readonly #looks: Looks;
  readonly #balances = new Map<AccountId, bigint>();
  /** The newest place and hash of each chain. */
  readonly #chains = new Map<string, { seq: number; total: bigint; hash: string }>();
  /** Open payments by payer and origin. */
  readonly #open = new Map<string, Set<string>>();
  readonly #opened = new Map<string, { origin: string; key: string; atMs: number }>();
  /** Times at which a number was helped without asking. */
  readonly #helped = new Map<string, { id: string; atMs: number }[]>();
  /** When the SMS with wrong codes that were answered so were recorded, by number. */
  readonly #wrong = new Map<string, number[]>();
  /** The id of each text, by its callback id. */
  readonly #idOf = new Map<string, string>();
  /** The codes that people were told, by the payment. */
  readonly #codes = new Map<string, string[]>();
  /** The SMS of each number in a word. */
  readonly #saidBy = new Map<string, Message[]>();
  /** SMS that meet a bug. */
  readonly poisoned = new Set<string>();
  /** Each SMS whose code may have been compared with those of six digits. */
  readonly #ticketed = new Set<string>();
  /** Each SMS whose command reached transactions, and how many wrong codes of its number and hour were answered when it first did. */
  readonly #asked = new Map<string, { from: string; wrong: number }>();
  readonly #sent = new Map<string, number>();
  readonly #posted = new Map<string, string[]>();
  /** Which text each message of the provider is, by the text's callback id. */
  readonly #textOf = new Map<string, string>();

  constructor(looks: Looks) {
    this.#looks = looks;
  }

  /** A change that the majority of the database has. */
  committed(database: string, collection: string, before: Stored | undefined, after: Stored | undefined): void {
    const id = after?._id ?? before?._id ?? '';
    switch (`${database}.${collection}`) {
      case 'smspay_wallet.transfers':
        if (before || !after) return this.#breaks(`I2: ${id} of the ledger was changed`);
        return this.#transfer(after as unknown as TransferDocument);
      case 'smspay_wallet.links':
      case 'smspay_wallet.wallets':
        if (before) this.#breaks(`I7: ${collection} ${id} was changed`);
        return undefined;
      case 'smspay_wallet.pins':
        return after ? this.#pins(before, after) : this.#breaks(`I7: PIN of ${id} is gone`);
      case 'smspay_transactions.pin_changes':
        return after ? this.#pinChange(before, after) : this.#breaks(`I5: PIN ${id} is gone`);
      case 'smspay_sms_gateway.inbox':
        return after ? this.#inbox(before, after) : this.#breaks(`I4: SMS ${id} is gone`);
      case 'smspay_sms_gateway.outbox':
        return after ? this.#outbox(before, after) : this.#breaks(`I4: text ${id} is gone`);
      case 'smspay_transactions.payments':
        return after ? this.#payment(before, after) : this.#breaks(`I5: payment ${id} is gone`);
      case 'smspay_transactions.waiting_rooms':
        return after ? this.#room(after) : undefined;
      default:
        return undefined;
    }
  }

  /** A phone sent an SMS. */
  sent(message: Message): void {
    this.#sent.set(message.sid, this.#looks.nowMs());
    this.#saidBy.set(message.from, [...(this.#saidBy.get(message.from) ?? []), message]);
  }

  /** A command of an SMS reached transactions. */
  asked(smsId: string, from: string): void {
    const sms = this.#looks.committed('sms-gateway', 'inbox', smsId);
    if (this.#asked.has(smsId) || !sms) return;
    this.#asked.set(smsId, { from, wrong: this.#wrongBefore(sms) });
  }

  /** The webhook of an SMS was answered 2xx. */
  taken(sid: string): void {
    if (!this.#looks.committed('sms-gateway', 'inbox', sid)) this.#breaks(`I7: SMS ${sid} was answered 2xx and is not recorded`);
  }

  /** The provider took a text from a gateway. */
  posted({ sid, statusCallback, body }: Message): void {
    const text = new URL(statusCallback ?? '').searchParams.get('text') ?? '';
    const before = this.#posted.get(text) ?? [];
    this.#posted.set(text, [...before, sid]);
    // Of two texts in the same words one may have found the message of the other in the list: then that one is sent in its place.
    const known = before.find((other) => !this.#looks.missed(other) && (this.#textOf.get(other) ?? text) === text);
    if (before.length > 0 && !known) for (const each of [...before, sid]) this.sentAgain.add(each);
    if (known) this.#breaks(`I4: "${body}" was posted twice, as ${known} and ${sid}, and the list of the provider had it`);
  }

  /** A text arrived at a phone. */
  told({ to, body, statusCallback }: Message): void {
    const [, code] = /^(?:(?:Pay |.* asks you for ).* )?Reply (\d{6,9}) within/.exec(body) ?? [];
    const [payment = ''] = this.#idOf.get(new URL(statusCallback ?? '').searchParams.get('text') ?? '')?.split(':') ?? [];
    if (code) this.#codes.set(payment, [...(this.#codes.get(payment) ?? []), code]);
    if (body.startsWith('Your PIN is set') && this.#pinOf(statusCallback) && !this.#pinsSet.has(payment))
      this.#breaks(`I7: ${to} was told "${body}", and the wallet has not set it`);
    const [, amount, ref] = /^(?:Paid|You got) KES ([\d,.]+) .*Ref (\w{7})$/.exec(body) ?? [];
    if (!amount || !ref) return;
    const cents = BigInt(amount.replace(/[,.]/g, ''));
    if (!this.#paidRefs.has(`${ref} ${cents}`)) this.#breaks(`I7: ${to} was told "${body}", and the ledger has no such payment`);
  }

  /** The change of a PIN whose outcome a text tells, not one that is asked for again. */
  #pinOf(statusCallback: string | undefined): boolean {
    return /:pin_outcome:/.test(this.#idOf.get(new URL(statusCallback ?? '').searchParams.get('text') ?? '') ?? '');
  }

  /** Each input counts once and for ever, and only after its code came. */
  #pins(before: Stored | undefined, after: Stored): void {
    type Input = { id: string; answer: { result: string } };
    const known = new Map(((before?.['inputs'] ?? []) as Input[]).map(({ id, answer }) => [id, answer.result]));
    const ids = (after['inputs'] as Input[]).map(({ id }) => id);
    if (new Set(ids).size < ids.length) this.#breaks(`F22: an input counts twice among those of ${after._id}: ${ids.join(', ')}`);
    if (ids.length < KNOWN_MIN)
      for (const id of known.keys())
        if (!ids.includes(id)) this.#breaks(`I7: PIN ${id} was answered, and nothing is known of it any more`);
    let wrong = 0;
    for (const { id, answer } of after['inputs'] as Input[]) {
      const was = known.get(id);
      if (was !== undefined && was !== answer.result) this.#breaks(`I5: PIN ${id} was answered ${was}, then ${answer.result}`);
      wrong = answer.result === 'wrong' ? wrong + 1 : answer.result === 'old_needed' ? wrong : 0;
      if (wrong > 2) this.#breaks(`F22: of ${after._id} more than two wrong PINs were not the last`);
      if (was !== undefined) continue;
      if (answer.result === 'set') this.#pinsSet.add(id);
      const from: string = this.#looks.committed('sms-gateway', 'inbox', id)?.['from'] ?? '';
      const codes = this.#codes.get(id) ?? [];
      if (!this.#saidBy.get(from)?.some(({ body }) => codes.includes(body.trim())))
        this.#breaks(`F22: PIN ${id} was ${answer.result}, and nobody sent its code`);
    }
  }

  #pinChange(before: Stored | undefined, after: Stored): void {
    const [from, to] = [before?.['state'] ?? 'waits', after['state']] as [string, string];
    const ends = from === 'waits' || (from === 'confirmed' && to === 'answered');
    if (from !== to && !ends) this.#breaks(`I5: PIN ${after._id} was ${from} and is ${to}`);
    if (!['waits', 'confirmed'].includes(to) && (after['pin'] || after['old']))
      this.#breaks(`F19: PIN ${after._id} is ${to} and still there`);
  }

  readonly #pinsSet = new Set<string>();
  readonly #paidRefs = new Set<string>();

  /** How people see the ref of a payment, told to the model by whoever can compute it. */
  refText: (ref: number) => string = String;

  #breaks(what: string): void {
    this.broken.push(what);
  }

  #transfer(document: TransferDocument): void {
    if (document.kind === 'refused') return this.#refused(document._id, document.reason);
    const { _id, debit, credit, fee, amount, currency, ref, cause } = document;
    if (hashState(document, KEYS) !== 'right') this.#breaks(`I2: the hash of ${_id} does not match`);
    const feeAmount = fee?.amount ?? 0n;
    this.#add(debit.account, -(amount + feeAmount), _id);
    this.#add(credit.account, amount, _id);
    if (fee) this.#add(feesAccount(currency), feeAmount, _id);
    this.#link(`debit ${debit.account}`, debit, amount + feeAmount, document);
    this.#link(`credit ${credit.account} ${credit.lane}`, credit, amount, document);
    if (fee) this.#link(`fee ${fee.account} ${fee.lane}`, fee, feeAmount, document);
    if (ref !== undefined) this.#paidRefs.add(`${this.refText(ref)} ${amount}`);
    const asked = this.#asked.get(cause);
    if (!asked || this.#digitsOf(_id) !== 6) return;
    if (!this.#ticketed.has(cause)) this.#breaks(`F22: ${cause} moved money by a code of 6 digits that was not one of five`);
    if (asked.wrong >= GUESSES_MAX)
      this.#breaks(`F22: ${cause} moved money by a code of 6 digits after ${asked.wrong} wrong ones of ${asked.from} in an hour`);
  }

  #room({ _id, tickets }: Stored): void {
    const untilMs = (tickets as { until: Date }[]).map(({ until }) => until.getTime());
    for (const endMs of untilMs) {
      const inAnHour = untilMs.filter((ms) => ms <= endMs && ms > endMs - HOUR_MS).length;
      if (inAnHour > GUESSES_MAX) this.#breaks(`F22: ${inAnHour} codes of ${_id} are compared in an hour`);
    }
    for (const { smsId } of tickets) this.#ticketed.add(smsId);
  }

  #digitsOf(transferId: string): number | undefined {
    const id = transferId.replace(/^pay:/, '');
    const payer: string = this.#looks.committed('transactions', 'payments', id)?.['payer']?.number ?? '';
    const things: { id: string; codeDigits: number }[] =
      this.#looks.committed('transactions', 'waiting_rooms', payer)?.['things'] ?? [];
    return things.find((thing) => thing.id === id)?.codeDigits;
  }

  #add(account: AccountId, amount: bigint, id: string): void {
    const balance = (this.#balances.get(account) ?? 0n) + amount;
    this.#balances.set(account, balance);
    if (balance < 0n && !account.startsWith('treasury:')) this.#breaks(`I3: ${account} has ${balance} after ${id}`);
  }

  #link(chain: string, leg: { seq: number; total: bigint; prev: string }, amount: bigint, { _id, hash }: PostedTransfer): void {
    const before = this.#chains.get(chain) ?? { seq: 0, total: 0n, hash: '' };
    if (leg.seq !== before.seq + 1 || leg.total !== before.total + amount || leg.prev !== before.hash)
      this.#breaks(`I2: ${_id} does not follow what was before it in ${chain}`);
    this.#chains.set(chain, { seq: leg.seq, total: leg.total, hash });
  }

  #refused(transferId: string, reason: string): void {
    const payment = this.#opened.get(transferId.replace(/^pay:/, ''));
    if (reason !== 'expired' || !payment) return;
    const lifeMs = payment.origin === 'pay' ? CODE_MINUTES * MINUTE_MS : REQUEST_HOURS * HOUR_MS;
    const earlyMs = payment.atMs + lifeMs + CODE_MINUTES * MINUTE_MS - CLOCK_SLACK_MS - this.#looks.nowMs();
    if (earlyMs > 0) this.#breaks(`F23: ${transferId} expired ${Math.round(earlyMs / 1000)} s before its end`);
  }

  #inbox(before: Stored | undefined, after: Stored): void {
    const outcome = after['outcome'] as string | undefined;
    if (before?.['outcome'] !== undefined && outcome !== before['outcome'])
      this.#breaks(`I4: SMS ${after._id} came out as ${before['outcome']}, then as ${outcome}`);
    if (before?.['outcome'] === undefined && outcome === 'wrong_code')
      this.#wrong.set(after['from'], [...(this.#wrong.get(after['from']) ?? []), after['recordedAt'].getTime()]);
    if (before?.['outcome'] !== undefined || !outcome || !['help', 'text_only'].includes(outcome)) return;
    const atMs = (after['recordedAt'] as Date).getTime();
    const helped = this.#helped.get(after['from']) ?? [];
    const near = helped.find((other) => Math.abs(other.atMs - atMs) < HELP_EVERY_MS - CLOCK_SLACK_MS);
    if (near) this.#breaks(`F22: ${after['from']} was helped twice within five minutes, for ${near.id} and ${after._id}`);
    this.#helped.set(after['from'], [...helped, { id: after._id, atMs }]);
  }

  #outbox(before: Stored | undefined, after: Stored): void {
    this.#idOf.set(after['callbackId'], after._id);
    if (after['sid']) this.#textOf.set(after['sid'], after['callbackId']);
    const [from, to] = [before?.['state'], after['state']] as string[];
    if (from !== undefined && to !== undefined && (RANK[to] ?? 0) < (RANK[from] ?? 0) && from !== 'failed')
      this.#breaks(`F6: text ${after._id} went from ${from} back to ${to}`);
    if (['handed_over', 'sent', 'delivered'].includes(to ?? '') && (after['dead'] || after['refused']))
      this.#breaks(`F12: text ${after._id} is ${to} and yet a dead letter`);
  }

  #payment(before: Stored | undefined, after: Stored): void {
    const [from, to] = [before?.['state'], after['state']] as string[];
    if (from !== undefined && from !== to && !OPEN.has(from)) this.#breaks(`I5: payment ${after._id} was ${from} and is ${to}`);
    if (to !== undefined && OPEN.has(to)) {
      if (before) return;
      const key = `${after['payer'].number} ${after['origin']}`;
      const atMs = (after['openedAt'] as Date).getTime();
      const sentMs = this.#sent.get(after._id) ?? 0;
      if (atMs < sentMs - CLOCK_SLACK_MS || atMs > this.#looks.nowMs() + CLOCK_SLACK_MS)
        this.#breaks(`F23: payment ${after._id} is dated ${Math.round((atMs - sentMs) / 1000)} s after its SMS was sent`);
      this.#opened.set(after._id, { origin: after['origin'], key, atMs });
      const open = this.#open.get(key) ?? new Set();
      this.#open.set(key, open.add(after._id));
      if (open.size > OPEN_MAX) this.#breaks(`F22: ${open.size} open at once of ${key}, where ${OPEN_MAX} may be`);
    } else this.#open.get(this.#opened.get(after._id)?.key ?? '')?.delete(after._id);
    if (to === 'expired' && from !== to) this.#expired(after);
  }

  /** Nothing expires whose right code came in time, whatever was away. */
  #expired({ _id, payer, endsAt }: Stored): void {
    const codes = this.#codes.get(_id) ?? [];
    for (const { sid, body } of this.#saidBy.get(payer.number) ?? []) {
      const sms = codes.includes(body.trim()) ? this.#looks.committed('sms-gateway', 'inbox', sid) : undefined;
      if (!sms || sms['recordedAt'] >= endsAt || sms['dead'] || this.poisoned.has(sid)) continue;
      if (this.#digitsOf(_id) === 6 && this.#wrongBefore(sms) < GUESSES_MAX)
        this.#breaks(`F25: payment ${_id} expired, and its code came in time, in ${sid}`);
    }
  }

  /** Wrong codes of a number in the hour before an SMS of it. */
  #wrongBefore({ from, recordedAt }: Stored): number {
    const atMs = recordedAt.getTime();
    return (this.#wrong.get(from) ?? []).filter((wrongMs) => wrongMs > atMs - HOUR_MS && wrongMs <= atMs).length;
  }
}
