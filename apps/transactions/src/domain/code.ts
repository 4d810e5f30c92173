import { createHmac } from 'node:crypto';

const DIGITS = 6;

/**
 * The code of one thing: `HMAC-SHA-256(CODE_KEY, id ‖ n) mod 10^6`, six digits (design.md, "The plain-text language"). Computed, never
 * stored, so a redrive tells the same one. The modulo's bias is below 2^-44.
 */
export function codeOf(key: Buffer, id: string, n: number): string {
  const digest = createHmac('sha256', key).update(`${id}\n${n}`).digest();
  return (digest.readBigUInt64BE(0) % 10n ** BigInt(DIGITS)).toString().padStart(DIGITS, '0');
}

/** The least `n` whose code is none of `taken`: the person's codes of the last day. */
export function freeN(key: Buffer, id: string, taken: ReadonlySet<string>): number {
  let n = 0;
  while (taken.has(codeOf(key, id, n))) n++;
  return n;
}
