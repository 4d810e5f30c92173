import { concat, fromHex, toBigInt } from './bytes.ts';

/** docs/protocol.md, "4. Text layer": bytes as letters and digits that every phone and carrier leaves alone. */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The value of each character's code. */
const DIGITS: (number | undefined)[] = [];
for (let value = 0; value < 62; value++) DIGITS[ALPHABET.charCodeAt(value)] = value;
/** Eight characters at a time: 62^8 is the largest such number that a double holds, so most of the work needs no BigInt. */
const CHUNK = 8;
const CHUNK_VALUES = 62n ** 8n;

const BITS_PER_CHAR = Math.log2(62);
/** Characters that `n` bytes take: the least c with 62^c ≥ 256^n. */
const charsOf = (n: number) => Math.ceil((8 * n) / BITS_PER_CHAR);

export function toBase62(bytes: Uint8Array): string {
  const length = charsOf(bytes.length);
  let rest = toBigInt(bytes);
  let text = '';
  while (text.length < length) {
    let low = Number(rest % CHUNK_VALUES);
    rest /= CHUNK_VALUES;
    let chunk = '';
    for (let i = 0; i < CHUNK; i++) {
      chunk = ALPHABET.charAt(low % 62) + chunk;
      low = Math.floor(low / 62);
    }
    text = chunk + text;
  }
  return text.slice(text.length - length);
}

/** Undefined for what `toBase62` gives of no bytes: another character, a length between two, too great a value. */
export function fromBase62(text: string): Uint8Array | undefined {
  const length = Math.floor((text.length * BITS_PER_CHAR) / 8);
  if (charsOf(length) !== text.length) return undefined;
  let value = 0n;
  for (let at = text.length % CHUNK || CHUNK, from = 0; from < text.length; from = at, at += CHUNK) {
    let chunk = 0;
    for (let i = from; i < at; i++) {
      const digit = DIGITS[text.charCodeAt(i)];
      if (digit === undefined) return undefined;
      chunk = chunk * 62 + digit;
    }
    value = value * CHUNK_VALUES + BigInt(chunk);
  }
  if (value >> BigInt(8 * length) !== 0n) return undefined;
  return fromHex(length === 0 ? '' : value.toString(16).padStart(2 * length, '0'));
}

/** HELLO, HELLO-ACK, the client's messages (even, odd epoch), the server's. */
export type Kind = 'H' | 'K' | 'C' | 'D' | 'S' | 'T';

const ENVELOPE = /^(?:[HCDST][0-9A-Za-z]{159}|[KST][0-9A-Za-z]{303})$/;

/** An envelope as it came: its kind and the bytes behind it, 118 or 225. */
export interface Envelope {
  kind: Kind;
  bytes: Uint8Array;
}

/** The text without the white space around it: what is hashed and compared. */
export const stripped = (text: string) => text.trim();

/** Whether this text is for the protocol at all; what is not is a plain text. */
export const isEnvelope = (text: string) => ENVELOPE.test(stripped(text));

/** Exactly 160 characters, or 304. */
export const writeEnvelope = (kind: Kind, ...parts: Uint8Array[]) => kind + toBase62(concat(...parts));

/** Undefined: no envelope, or its digits write no bytes. */
export function readEnvelope(text: string): Envelope | undefined {
  const clean = stripped(text);
  if (!ENVELOPE.test(clean)) return undefined;
  const bytes = fromBase62(clean.slice(1));
  return bytes && { kind: clean.charAt(0) as Kind, bytes };
}

export const clientKind = (epoch: number): Kind => (epoch % 2 === 0 ? 'C' : 'D');
export const serverKind = (epoch: number): Kind => (epoch % 2 === 0 ? 'S' : 'T');
