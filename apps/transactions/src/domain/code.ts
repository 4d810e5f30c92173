import { createHmac, type KeyObject } from 'node:crypto';
import type { CodeDigits } from './guessing.ts';

/**
 * The code of one thing: `HMAC-SHA-256(CODE_KEY, id ‖ n) mod 10^digits` (docs/design.md, "Codes"). Computed, never
 * stored, so a redrive tells the same one. The modulo's bias is below 2^-34.
 */
export function codeOf(key: KeyObject, id: string, n: number, digits: CodeDigits): string {
  const digest = createHmac('sha256', key).update(`${id}\n${n}`).digest();
  return (digest.readBigUInt64BE(0) % 10n ** BigInt(digits)).toString().padStart(digits, '0');
}

/** The least `n` whose code is none of `taken`: the person's codes of the last day. */
export function freeN(key: KeyObject, id: string, digits: CodeDigits, taken: ReadonlySet<string>): number {
  let n = 0;
  while (taken.has(codeOf(key, id, n, digits))) n++;
  return n;
}
