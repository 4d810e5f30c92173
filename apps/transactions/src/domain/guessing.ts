/** Digits of a code: 6, and 9 for somebody at whose codes somebody guesses. */
export type CodeDigits = 6 | 9;

/** So many codes of a number are compared with those of six digits within an hour; right ones do not count. */
export const GUESSES_MAX = 5;
/** Without a wrong code for so long, new codes have six digits again. */
export const GUESSED_FOR_MS = 3_600_000;

/** The ids of the tickets that a number has for the hour of `at`, in the order in which they are taken. */
export function ticketsOf(number: string, at: Date): string[] {
  const hour = Math.floor(at.getTime() / 3_600_000);
  return Array.from({ length: GUESSES_MAX }, (_, index) => `${number}:${hour}:${index + 1}`);
}
