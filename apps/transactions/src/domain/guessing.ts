/** Digits of a code: 6, and 9 for somebody whose codes are being guessed. */
export type CodeDigits = 6 | 9;

const WRONG_MAX = 5;
const HOUR_MS = 3_600_000;

/**
 * How many digits a person's codes have, given when wrong ones came from their number: 9 from the fifth within an hour on, until an hour
 * passes without a wrong one (design.md, "Wrong codes are counted"). A wrong code ends nothing, so a stranger can lock nobody out.
 */
export function codeDigits(wrongAt: readonly Date[], now: Date): CodeDigits {
  const times = wrongAt.map((at) => at.getTime()).sort((a, b) => a - b);
  let guessed = false;
  for (const [index, time] of times.entries()) {
    const fifthBefore = times[index - (WRONG_MAX - 1)];
    const before = times[index - 1];
    if (before !== undefined && time - before >= HOUR_MS) guessed = false;
    if (fifthBefore !== undefined && time - fifthBefore < HOUR_MS) guessed = true;
  }
  const last = times.at(-1);
  return guessed && last !== undefined && now.getTime() - last < HOUR_MS ? 9 : 6;
}
