import { createHmac, type KeyObject } from 'node:crypto';
import type { Derivation } from './waiting-room.ts';

/** A code of nine digits is no longer form of the one of six: it comes of other bytes. */
const FROM_BYTE = { 6: 0, 9: 8 } as const;

/**
 * The code of one thing: `HMAC-SHA-256(CODE_KEY, id ‖ n)`, of which 64 bits mod 10^digits (docs/design.md, "Codes"). Computed, never
 * stored, so a redrive tells the same one. The modulo's bias is below 2^-34.
 */
export function codeOf(key: KeyObject, { id, codeN, codeDigits }: Derivation & { id: string }): string {
  const digest = createHmac('sha256', key).update(`${id}\n${codeN}`).digest();
  return (digest.readBigUInt64BE(FROM_BYTE[codeDigits]) % 10n ** BigInt(codeDigits)).toString().padStart(codeDigits, '0');
}

/** The least `codeN` with which the code of a thing is none of `taken`: the other codes of its number. */
export function freeCodeN(
  key: KeyObject,
  thing: { id: string } & Pick<Derivation, 'codeDigits'>,
  taken: ReadonlySet<string>,
): number {
  let codeN = 0;
  while (taken.has(codeOf(key, { ...thing, codeN }))) codeN++;
  return codeN;
}
