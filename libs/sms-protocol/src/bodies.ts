import { concat, isZero, padded, u16, u32, u8, utf8, toNumber } from './bytes.ts';
import * as f from './fields.ts';

/** docs/protocol.md, "9. Bodies": what the messages say. One table a direction; types, encoders and decoders follow from it. */

// --- The tables ------------------------------------------------------------------------------------------------------------------------------

interface Shape {
  code: number;
  fields: Record<string, unknown>;
}

const MEMO_BYTES = 60;
const MEMO = f.str(MEMO_BYTES);
const LABEL = f.str(0xff);

const HELLO = {
  code: 0x00,
  fields: {
    app: f.short,
    trustVersion: f.short,
    flags: f.byte,
    time: f.long,
    msisdn: f.msisdn,
    language: f.letters(2),
    name: f.str(41),
  },
};
const ACK = {
  code: 0x40,
  fields: {
    sid: f.bytesOf(4),
    msisdn: f.msisdn,
    time: f.long,
    trustVersion: f.short,
    /** 1 existing account, 2 new. */
    flags: f.byte,
    /** 0xFF: no PIN yet. */
    pinTries: f.byte,
    currency: f.letters(3),
    name: f.str(88),
  },
};

/** From client to server, behind HELLO. */
const CLIENT = {
  /** `transferProof`: all zero, none. */
  confirm: { code: 0x01, fields: { pin: f.pin, transferProof: f.bytesOf(16) } },
  pay: { code: 0x02, fields: { pin: f.pin, amount: f.amount, to: f.party, memo: MEMO, feeShown: f.feeShown } },
  request: { code: 0x03, fields: { amount: f.amount, from: f.party, memo: MEMO } },
  approve: { code: 0x04, fields: { pin: f.pin, id: f.long, amount: f.amount, feeShown: f.feeShown } },
  /** `reason`: 0 none, 1 not known, 2 and never again. */
  decline: { code: 0x05, fields: { id: f.long, reason: f.choice(2) } },
  balance: { code: 0x06, fields: {} },
  /** `count` 0: as many as fit; `before` 0: the newest. */
  history: { code: 0x07, fields: { count: f.byte, before: f.long } },
  rekey: { code: 0x08, fields: { publicKey: f.bytesOf(32) } },
  pin: { code: 0x09, fields: { old: f.pin, new: f.pin } },
  lock: { code: 0x0a, fields: {} },
  unlink: { code: 0x0b, fields: { pin: f.pin } },
  ask: { code: 0x0c, fields: { counters: f.list(f.short, 4) } },
  undo: { code: 0x0d, fields: { pin: f.pin, tx: f.long } },
  unlock: { code: 0x0e, fields: { pin: f.pin } },
  /** `kind`: 0 in, 1 out. */
  cash: { code: 0x0f, fields: { pin: f.pin, kind: f.choice(1), amount: f.amount, with: f.party } },
  lookup: { code: 0x10, fields: { amount: f.amount, to: f.party } },
};

const ENTRY = { tx: f.long, role: f.byte, amount: f.sum, day: f.short, label: f.str(8) };

/** From server to client, behind HELLO-ACK. `re`: the counter that this answers; `UNSOLICITED`: none. */
const SERVER = {
  /** `flags`: 1, receiving only. */
  welcome: { code: 0x41, fields: { re: f.short, balance: f.sum, flags: f.byte } },
  receipt: {
    code: 0x42,
    fields: {
      re: f.short,
      role: f.byte,
      tx: f.long,
      amount: f.sum,
      fee: f.sum,
      balance: f.sum,
      time: f.long,
      label: LABEL,
      memo: MEMO,
    },
  },
  approval: {
    code: 0x43,
    fields: {
      re: f.short,
      id: f.long,
      amount: f.sum,
      minutes: f.short,
      payee: f.u64Field,
      label: LABEL,
      fee: f.sum,
      memo: MEMO,
    },
  },
  balance_is: { code: 0x44, fields: { re: f.short, balance: f.sum, held: f.sum, time: f.long } },
  history_is: { code: 0x45, fields: { re: f.short, balance: f.sum, entries: f.list(f.record(ENTRY), 0xff) } },
  error: { code: 0x46, fields: { re: f.short, code: f.byte, arg: f.anyUv } },
  rekey_ack: { code: 0x47, fields: { re: f.short, publicKey: f.bytesOf(32) } },
  trust_add: {
    code: 0x48,
    fields: {
      re: f.short,
      version: f.short,
      signPub: f.bytesOf(32),
      dhPub: f.bytesOf(32),
      fromDay: f.short,
      toDay: f.short,
      rootSig: f.bytesOf(64),
    },
  },
  trust_revoke: { code: 0x49, fields: { re: f.short, version: f.short, serial: f.bytesOf(8), rootSig: f.bytesOf(64) } },
  notice: { code: 0x4a, fields: { re: f.short, text: LABEL } },
  /** `what`: 0 undo, 1 cash in, 2 cash out. */
  asked: {
    code: 0x4b,
    fields: {
      re: f.short,
      what: f.byte,
      id: f.long,
      amount: f.sum,
      fee: f.sum,
      minutes: f.short,
      other: f.u64Field,
      label: LABEL,
    },
  },
  /** `flags`: 1 they have no wallet, it would be held; 2 a PIN is needed. */
  quote: { code: 0x4c, fields: { re: f.short, flags: f.byte, amount: f.sum, fee: f.sum, balance: f.sum, label: LABEL } },
};

type BodyOf<T> = { [K in keyof T]: T[K] extends { fields: infer F } ? { type: K } & f.ValuesOf<F> : never }[keyof T];

export type Hello = f.ValuesOf<typeof HELLO.fields>;
export type Ack = f.ValuesOf<typeof ACK.fields>;
/** What a client says in a session. */
export type ClientBody = BodyOf<typeof CLIENT>;
/** What a server says in a session. */
export type ServerBody = BodyOf<typeof SERVER>;
export type ServerBodyOf<T extends ServerBody['type']> = Extract<ServerBody, { type: T }>;

/** `re` of what answers nothing. */
export const UNSOLICITED = 0xffff;

/** RECEIPT's and HISTORY_IS' roles. */
export const ROLE = {
  paid: 0,
  received: 1,
  refunded: 2,
  declined: 3,
  held: 4,
  returned: 5,
  cashIn: 6,
  cashOut: 7,
  expired: 8,
  withdrawn: 9,
  system: 10,
} as const;

/** ERROR's codes. */
export const ERROR = {
  done: 0,
  malformed: 1,
  noWallet: 2,
  theyHaveNone: 3,
  ownNumber: 4,
  notServed: 5,
  tooManyOpen: 6,
  notOpen: 7,
  otherAmount: 8,
  pinNeeded: 9,
  wrongPin: 10,
  pinLocked: 11,
  overLimit: 12,
  balanceTooLow: 13,
  frozen: 14,
  theyAreFull: 15,
  theyAreClosed: 16,
  receivingOnly: 17,
  tooLate: 18,
  notNow: 19,
  unknownReference: 20,
  feeGreater: 21,
  easyPin: 22,
  rekeyFirst: 23,
} as const;

export type Decoded<B> =
  | { result: 'body'; body: B }
  /** Its rules are broken: ERROR 1, or silence in a HELLO. */
  | { result: 'malformed' }
  /** A type that this version does not know. */
  | { result: 'unknown'; code: number };

// --- HELLO and HELLO-ACK ---------------------------------------------------------------------------------------------------------------------

const HELLO_BYTES = 62;
const ACK_BYTES = 113;

/** RangeError for what does not fit. */
export const encodeHello = (body: Hello) => write(HELLO, body, HELLO_BYTES);
export const decodeHello = (bytes: Uint8Array) => readOne<Hello>(HELLO, bytes);
export const encodeAck = (body: Ack) => write(ACK, body, ACK_BYTES);
export const decodeAck = (bytes: Uint8Array) => readOne<Ack>(ACK, bytes);

function readOne<B>(shape: Shape, bytes: Uint8Array): B | undefined {
  return bytes[0] === shape.code ? (read(shape, bytes) as B | undefined) : undefined;
}

// --- Client to server: 96 bytes, whose last six are the tail ---------------------------------------------------------------------------------

const CLIENT_FIELDS = 90;

/** The last six bytes of what a client says. `time`: its estimate of the server's time; 0: not known. */
export interface Tail {
  trustVersion: number;
  time: number;
}

/** RangeError for values that their fields cannot hold. */
export function encodeClientBody(body: ClientBody, tail: Tail): Uint8Array {
  return concat(write(CLIENT[body.type], body, CLIENT_FIELDS), u16(tail.trustVersion), u32(tail.time));
}

export function decodeClientBody(bytes: Uint8Array): Decoded<ClientBody> & { tail: Tail } {
  const tail = { trustVersion: toNumber(bytes.subarray(90, 92)), time: toNumber(bytes.subarray(92, 96)) };
  return { ...decode<ClientBody>(CLIENTS_BY_CODE, bytes.subarray(0, CLIENT_FIELDS)), tail };
}

// --- Server to client: 36 bytes in one segment, 143 in two -----------------------------------------------------------------------------------

export const SHORT_BYTES = 36;
export const LONG_BYTES = 143;
/** What a label holds in any case: the number's last four digits. */
const DIGITS = 4;

/**
 * In the short form where it fits. A label is cut at a code point so that it does; a receipt's memo, a notice and a history are what fits.
 * RangeError for other values that their fields cannot hold.
 */
export function encodeServerBody(body: ServerBody): Uint8Array {
  switch (body.type) {
    case 'receipt':
      return labelled({ ...body, memo: '' }, body.memo);
    case 'approval':
      return labelled(body, '');
    case 'asked':
    case 'quote':
      return labelled(body, '');
    case 'notice':
      return sized([u8(SERVER.notice.code), f.short.write(body.re), strOf(utf8(body.text, LONG_BYTES - 4))]);
    case 'history_is':
      return history(body);
    default: {
      const { code, fields } = SERVER[body.type];
      return sized([u8(code), ...f.writeShort(fields, body)]);
    }
  }
}

export const decodeServerBody = (bytes: Uint8Array) => decode<ServerBody>(SERVERS_BY_CODE, bytes);

const strOf = (text: Uint8Array) => concat(u8(text.length), text);
const sizeOf = (parts: Uint8Array[]) => parts.reduce((size, part) => size + part.length, 0);

function sized(parts: Uint8Array[]): Uint8Array {
  return padded(concat(...parts), sizeOf(parts) <= SHORT_BYTES ? SHORT_BYTES : LONG_BYTES);
}

type Labelled = ServerBodyOf<'receipt' | 'approval' | 'asked' | 'quote'>;

/** `memo`: what is added as far as it fits. */
function labelled(body: Labelled, memo: string): Uint8Array {
  const { code, fields } = SERVER[body.type];
  const names = Object.keys(fields);
  const values = body as Record<string, unknown>;
  const label = utf8(body.label, 0xff);
  // The label's own byte of length is among the fields before it.
  const at = names.indexOf('label');
  const before = [u8(code), ...names.slice(0, at).map((name) => field(fields, name).write(values[name]))];
  const after = f.writeShort(fields, values, names.slice(at + 1));
  const least = utf8(Array.from(body.label).slice(0, DIGITS).join('')).length;
  const room = (size: number) => size - sizeOf(before) - 1 - sizeOf(after);
  const hasMemo = body.type === 'approval' && body.memo !== '';
  const size = room(SHORT_BYTES) >= least && !hasMemo ? SHORT_BYTES : LONG_BYTES;
  const cut = utf8(body.label, Math.min(label.length, room(size)));
  const left = room(size) - cut.length;
  // `after` of a receipt is empty: its memo is all that follows the label.
  const added = left > 1 && memo !== '' ? [strOf(utf8(memo, Math.min(MEMO_BYTES, left - 1)))] : [];
  return padded(concat(...before, strOf(cut), ...after, ...added), size);
}

const field = (fields: Record<string, unknown>, name: string) => fields[name] as f.Field<unknown>;

function history(body: ServerBodyOf<'history_is'>): Uint8Array {
  const { re, balance } = body;
  const head = [u8(SERVER.history_is.code), f.short.write(re), f.sum.write(balance)];
  const entry = f.record(ENTRY);
  const entries: Uint8Array[] = [];
  let left = LONG_BYTES - sizeOf(head) - 1;
  for (const each of body.entries) {
    const bytes = entry.write({ ...each, label: cutText(each.label, 8) });
    if (bytes.length > left) break;
    entries.push(bytes);
    left -= bytes.length;
  }
  return sized([...head, u8(entries.length), ...entries]);
}

/** As many whole code points of `text` as fit into `bytes` bytes. */
export function cutText(text: string, bytes: number): string {
  let size = 0;
  let cut = '';
  for (const char of text) {
    size += utf8(char).length;
    if (size > bytes) break;
    cut += char;
  }
  return cut;
}

// --- Both ways -------------------------------------------------------------------------------------------------------------------------------

const byCode = (table: Record<string, Shape>) =>
  new Map(Object.entries(table).map(([type, shape]) => [shape.code, { type, shape }] as const));
const CLIENTS_BY_CODE = byCode(CLIENT);
const SERVERS_BY_CODE = byCode(SERVER);

function write({ code, fields }: Shape, body: object, size: number): Uint8Array {
  const parts = [u8(code), ...f.writeShort(fields, body as Record<string, unknown>)];
  if (sizeOf(parts) > size) throw new RangeError(`a body of ${sizeOf(parts)} bytes, where ${size} fit`);
  return padded(concat(...parts), size);
}

/** The fields behind the type; undefined where they break a rule, or something follows them. */
function read({ fields }: Shape, bytes: Uint8Array): object | undefined {
  const found = f.body(fields).read(bytes, 1);
  return found && isZero(bytes.subarray(1 + found.length)) ? found.value : undefined;
}

function decode<B extends { type: string }>(table: ReturnType<typeof byCode>, bytes: Uint8Array): Decoded<B> {
  const code = bytes[0] ?? 0;
  const known = table.get(code);
  if (!known) return { result: 'unknown', code };
  const values = read(known.shape, bytes);
  return values ? { result: 'body', body: { type: known.type, ...values } as unknown as B } : { result: 'malformed' };
}
