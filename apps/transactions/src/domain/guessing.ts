/** Digits of a code: 6, and 9 for somebody at whose codes somebody guesses. */
export type CodeDigits = 6 | 9;

/** So many codes of a number are compared with those of six digits within an hour; right ones do not count. */
export const GUESSES_MAX = 5;
/** How long a wrong one counts; without one for so long, new codes have six digits again. */
export const GUESSED_FOR_MS = 3_600_000;

/** The ids of the tickets of a number. Each is taken for an hour, so there are never more in any hour. */
export function ticketsOf(number: string): string[] {
  return Array.from({ length: GUESSES_MAX }, (_, index) => `${number}:${index + 1}`);
}
