import { createHmac, type KeyObject } from 'node:crypto';
import type { CodeDigits } from './guessing.ts';

/** What waits for a code of a person, as far as its code goes: a payment or a request. */
export interface Waiting {
  /** What it is: unique among all that waits. */
  id: string;
  /** Set so that no two codes of a person are the same. */
  codeN: number;
  /** 6; raised to 9 while the person's codes are being guessed. */
  codeDigits: CodeDigits;
  /** The id of the key in `CODE_KEY`; absent where it was opened before keys had one here, by the last of them. */
  codeKey?: string;
}

/** A code of nine digits is no longer form of the one of six: it comes of other bytes. */
const FROM_BYTE = { 6: 0, 9: 8 } as const;

/**
 * The code of one thing: `HMAC-SHA-256(CODE_KEY, id ‖ n)`, of which 64 bits mod 10^digits (docs/design.md, "Codes"). Computed, never
 * stored, so a redrive tells the same one. The modulo's bias is below 2^-34.
 */
export function codeOf(key: KeyObject, { id, codeN, codeDigits }: Waiting): string {
  const digest = createHmac('sha256', key).update(`${id}\n${codeN}`).digest();
  return (digest.readBigUInt64BE(FROM_BYTE[codeDigits]) % 10n ** BigInt(codeDigits)).toString().padStart(codeDigits, '0');
}

/** The same with the least `codeN` whose code is none of `taken`: the person's codes of the last day. */
export function withFreeCode<Thing extends Omit<Waiting, 'codeN'>>(
  key: KeyObject,
  thing: Thing,
  taken: ReadonlySet<string>,
): Thing & Pick<Waiting, 'codeN'> {
  let codeN = 0;
  while (taken.has(codeOf(key, { ...thing, codeN }))) codeN++;
  return { ...thing, codeN };
}
