import fc from 'fast-check';
import type { Ack, ClientBody, Hello, ServerBody, Tail } from './bodies.ts';
import { utf8 } from './bytes.ts';

/** Any body with any field, each up to its limit. */

const LIMIT = 10n ** 15n;
/** The ends of a range are what most faults are at. */
const edged = <T>(all: fc.Arbitrary<T>, ...edges: T[]) => fc.oneof(all, fc.constantFrom(...edges));
const amount = edged(fc.bigInt(1n, LIMIT), 1n, LIMIT);
const sum = edged(fc.bigInt(0n, LIMIT), 0n, LIMIT);
const u8 = edged(fc.nat(0xff), 0xff);
const u16 = edged(fc.nat(0xffff), 0, 0xffff);
const u32 = edged(fc.nat(0xffffffff), 0, 0xffffffff);
const msisdn = edged(fc.bigInt(1n, 10n ** 15n - 1n), 1n, 10n ** 15n - 1n);
const merchant = fc.bigInt(1n << 63n, (1n << 64n) - 1n);
const party = fc.oneof(msisdn, merchant);
const u64 = edged(fc.bigInt(0n, (1n << 64n) - 1n), 0n, (1n << 64n) - 1n);
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const pin = fc.oneof(fc.constant(''), fc.stringMatching(/^[0-9]{4,8}$/), fc.constantFrom('00000000', '9999'));
const letters = (length: number) => fc.stringMatching(new RegExp(`^[A-Za-z]{${length}}$`));

/** Text of at most `max` bytes, often of just as many, of characters of one byte to four. */
export const text = (max: number) =>
  edged(
    fc
      .array(fc.constantFrom('a', 'Z', '5', ' ', 'é', 'ж', '€', '語', '😀', '\u0000', '\ufeff'), { maxLength: max })
      .map((chars) => chars.join(''))
      .filter((value) => utf8(value).length <= max),
    '',
    'x'.repeat(max),
  );
const label = fc.oneof(text(40), text(255), fc.constantFrom('', '0009', '0009 Ana', '0009 日本語日本語日本語日本語'));

export const hello: fc.Arbitrary<Hello> = fc.record({
  app: u16,
  trustVersion: u16,
  flags: u8,
  time: u32,
  msisdn,
  language: letters(2),
  name: text(41),
});
export const ack: fc.Arbitrary<Ack> = fc.record({
  sid: bytes(4),
  msisdn,
  time: u32,
  trustVersion: u16,
  flags: u8,
  pinTries: u8,
  currency: letters(3),
  name: text(88),
});
export const tail: fc.Arbitrary<Tail> = fc.record({ trustVersion: u16, time: u32 });

type Rest<B, T extends string> = Omit<Extract<B, { type: T }>, 'type'>;
type Arbitraries<B extends { type: string }> = { [T in B['type']]: { [K in keyof Rest<B, T>]: fc.Arbitrary<Rest<B, T>[K]> } };
function oneOf<B extends { type: string }>(all: Arbitraries<B>): Record<B['type'], fc.Arbitrary<B>> {
  const entries = Object.entries(all as Record<string, Record<string, fc.Arbitrary<unknown>>>);
  return Object.fromEntries(
    entries.map(([type, fields]) => [type, fc.record(Object.assign({ type: fc.constant(type) }, fields))]),
  ) as unknown as Record<B['type'], fc.Arbitrary<B>>;
}

export const client = oneOf<ClientBody>({
  confirm: { pin, transferProof: bytes(16) },
  pay: { pin, amount, to: party, memo: text(60), feeShown: edged(fc.bigInt(0n, LIMIT + 1n), LIMIT + 1n) },
  request: { amount, from: party, memo: text(60) },
  approve: { pin, id: u32, amount, feeShown: edged(fc.bigInt(0n, LIMIT + 1n), LIMIT + 1n) },
  decline: { id: u32, reason: fc.nat(2) },
  balance: {},
  history: { count: u8, before: u32 },
  rekey: { publicKey: bytes(32) },
  pin: { old: pin, new: pin },
  lock: {},
  unlink: { pin },
  ask: { counters: fc.array(u16, { maxLength: 4 }) },
  undo: { pin, tx: u32 },
  unlock: { pin },
  cash: { pin, kind: fc.nat(1), amount, with: party },
  lookup: { amount, to: party },
});

export const server = oneOf<ServerBody>({
  welcome: { re: u16, balance: sum, flags: u8 },
  receipt: { re: u16, role: u8, tx: u32, amount: sum, fee: sum, balance: sum, time: u32, label, memo: text(60) },
  approval: { re: u16, id: u32, amount: sum, minutes: u16, payee: u64, label, fee: sum, memo: text(60) },
  balance_is: { re: u16, balance: sum, held: sum, time: u32 },
  history_is: {
    re: u16,
    balance: sum,
    entries: fc.array(fc.record({ tx: u32, role: u8, amount: sum, day: u16, label: text(20) }), { maxLength: 20 }),
  },
  error: { re: u16, code: u8, arg: edged(fc.bigInt(0n, (1n << 63n) - 1n), 0n, (1n << 63n) - 1n) },
  rekey_ack: { re: u16, publicKey: bytes(32) },
  trust_add: { re: u16, version: u16, signPub: bytes(32), dhPub: bytes(32), fromDay: u16, toDay: u16, rootSig: bytes(64) },
  trust_revoke: { re: u16, version: u16, serial: bytes(8), rootSig: bytes(64) },
  notice: { re: u16, text: text(200) },
  asked: { re: u16, what: u8, id: u32, amount: sum, fee: sum, minutes: u16, other: u64, label },
  quote: { re: u16, flags: u8, amount: sum, fee: sum, balance: sum, label },
});
