import { z } from 'zod';

/** 30 characters that do not look alike on a phone: no 0 O 1 I L U. */
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 7;

/** The reference people see: a random u32, allotted by unique insert. */
export const Ref = z.number().int().min(0).max(0xffffffff).brand<'Ref'>();
export type Ref = z.output<typeof Ref>;

/** The text form of a ref: 7 characters, `30^7 > 2^32`. */
export function refText(ref: Ref): string {
  let rest: number = ref;
  let text = '';
  for (let place = 0; place < LENGTH; place++) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

/** Reads a ref as a person types it; undefined if it is none. */
export function refOf(text: string): Ref | undefined {
  if (text.length !== LENGTH) return undefined;
  let ref = 0;
  for (const character of text.toUpperCase()) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return undefined;
    ref = ref * ALPHABET.length + digit;
  }
  return ref <= 0xffffffff ? (ref as Ref) : undefined;
}
