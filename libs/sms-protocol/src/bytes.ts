/** Bytes and numbers as the protocol writes them: integers big-endian, `uv` unsigned LEB128. */

export const EMPTY = new Uint8Array(0);

export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** `bytes`, and zero bytes after them up to `length`. */
export function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}

/** Takes as long wherever the first difference is. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

export const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

export const u8 = (value: number) => Uint8Array.of(value);
export const u16 = (value: number) => Uint8Array.of(value >>> 8, value);
export const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
export const u64 = (value: bigint) => concat(u32(Number((value >> 32n) & 0xffffffffn)), u32(Number(value & 0xffffffffn)));

/** The number that `bytes` write, at most 6 of them. */
export const toNumber = (bytes: Uint8Array) => bytes.reduce((value, byte) => value * 256 + byte, 0);
export const toBigInt = (bytes: Uint8Array) => (bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`));

/** What `uv` can hold: 9 bytes of 7 bits. */
export const UV_MAX = (1n << 63n) - 1n;

/** Unsigned LEB128, as short as can be. */
export function uv(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

/** The `uv` at `at` and its length; undefined if it is cut, longer than 9 bytes or not as short as can be. */
export function readUv(bytes: Uint8Array, at: number): { value: bigint; length: number } | undefined {
  let value = 0n;
  for (let length = 1; length <= 9; length++) {
    const byte = bytes[at + length - 1];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (length - 1));
    if (byte < 0x80) return byte === 0 && length > 1 ? undefined : { value, length };
  }
  return undefined;
}

/** The code points of `text`; half of a surrogate pair is U+FFFD. */
function codePoints(text: string): number[] {
  return Array.from(text, (char) => {
    const point = char.codePointAt(0) ?? 0xfffd;
    return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
  });
}

function utf8Of(point: number): number[] {
  if (point < 0x80) return [point];
  const continued = (shift: number) => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x800) return [0xc0 | (point >> 6), continued(0)];
  if (point < 0x10000) return [0xe0 | (point >> 12), continued(6), continued(0)];
  return [0xf0 | (point >> 18), continued(12), continued(6), continued(0)];
}

/** UTF-8, of as many whole code points as fit into `limit` bytes. */
export function utf8(text: string, limit = Infinity): Uint8Array {
  const bytes: number[] = [];
  for (const point of codePoints(text)) {
    const next = utf8Of(point);
    if (bytes.length + next.length > limit) break;
    bytes.push(...next);
  }
  return Uint8Array.from(bytes);
}

/** The text of strict UTF-8 (no overlong form, no surrogate, nothing cut); undefined for other bytes. A leading U+FEFF stays. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length === 0 || at + length > bytes.length) return undefined;
    let point = length === 1 ? first : first & (0x7f >> length);
    for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at + i] ?? 0) & 0x3f);
    if (point > 0x10ffff) return undefined;
    // What does not write itself so again was not written as it must be.
    const again = point >= 0xd800 && point <= 0xdfff ? [] : utf8Of(point);
    if (again.length !== length || again.some((byte, i) => byte !== bytes[at + i])) return undefined;
    text += String.fromCodePoint(point);
    at += length;
  }
  return text;
}

/** Control characters in what others wrote are shown as spaces (docs/protocol.md, "15. Small things that two implementers must decide alike"). */
// oxlint-disable-next-line no-control-regex
export const shown = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');

/** Of the protocol's own words, which are ASCII. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += HEX[byte] ?? '';
  return hex;
}

/** Of the ASCII code of a hexadecimal digit. */
const nibble = (code: number) => (code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57);

/** Undefined if `hex` is not pairs of hexadecimal digits. */
export function fromHex(hex: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(hex)) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (nibble(hex.charCodeAt(2 * i)) << 4) | nibble(hex.charCodeAt(2 * i + 1));
  return bytes;
}
