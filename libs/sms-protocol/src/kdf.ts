import { concat, EMPTY, u8 } from './bytes.ts';
import type { Primitives } from './primitives.ts';

/** H of docs/protocol.md, "2. Primitives": SHA-256 of the concatenation. */
export const hash = (p: Primitives, ...parts: Uint8Array[]) => p.sha256(concat(...parts));

/** HKDF-Expand (RFC 5869) with SHA-256. */
export function expand(p: Primitives, prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  let block: Uint8Array = EMPTY;
  let okm: Uint8Array = EMPTY;
  for (let i = 1; okm.length < length; i++) {
    block = p.hmac(prk, concat(block, info, u8(i)));
    okm = concat(okm, block);
  }
  return okm.subarray(0, length);
}

/** HKDF (RFC 5869) with SHA-256: `count` keys of 32 bytes. */
export function keys(p: Primitives, salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, count: number): Uint8Array[] {
  const okm = expand(p, p.hmac(salt, ikm), info, 32 * count);
  return Array.from({ length: count }, (_, i) => okm.slice(32 * i, 32 * i + 32));
}
