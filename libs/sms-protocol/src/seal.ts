import { ascii, concat, equal, padded, u16 } from './bytes.ts';
import { expand } from './kdf.ts';
import type { Primitives } from './primitives.ts';

/**
 * Deterministic authenticated encryption of docs/protocol.md, "2. Primitives": the tag is the nonce (SIV), so that a key used twice after a
 * restored snapshot shows only whether two plaintexts are the same. One key, one message.
 */

/** Bytes of a tag: 8 where a signature covers the plaintext too, else 16. */
export type TagLength = 8 | 16;

const INFO = ascii('smspay/1 seal');

function halves(p: Primitives, key: Uint8Array) {
  const okm = expand(p, key, INFO, 64);
  return { ek: okm.subarray(0, 32), mk: okm.subarray(32) };
}

const tagOf = (p: Primitives, mk: Uint8Array, aad: Uint8Array, plain: Uint8Array, t: TagLength) =>
  p.hmac(mk, concat(u16(aad.length), aad, plain)).subarray(0, t);

const nonceOf = (tag: Uint8Array) => padded(tag.subarray(0, 12), 12);

export function seal(p: Primitives, key: Uint8Array, aad: Uint8Array, plain: Uint8Array, t: TagLength): Uint8Array {
  const { ek, mk } = halves(p, key);
  const tag = tagOf(p, mk, aad, plain, t);
  return concat(p.chacha20(ek, nonceOf(tag), plain), tag);
}

/** The plaintext; undefined if the tag is not its own. */
export function open(p: Primitives, key: Uint8Array, aad: Uint8Array, box: Uint8Array, t: TagLength): Uint8Array | undefined {
  if (box.length < t) return undefined;
  const { ek, mk } = halves(p, key);
  const tag = box.subarray(box.length - t);
  const plain = p.chacha20(ek, nonceOf(tag), box.subarray(0, box.length - t));
  return equal(tagOf(p, mk, aad, plain, t), tag) ? plain : undefined;
}
