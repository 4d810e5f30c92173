import type { EasyPin, PinAnswer, SmsId } from '#libs/contracts';

/** So many wrong PINs in a row lock it, for so long. */
export const TRIES = 3;
export const LOCKED_FOR_MS = 24 * 3_600_000;
/** Of what was answered the newest are known always, and all of so long ago, but so many at most. */
export const KNOWN_MIN = 20;
export const KNOWN_MAX = 50;
export const KNOWN_FOR_MS = 48 * 3_600_000;

/** What was decided on one input, for ever: whoever drives it again gets the same answer, and nothing counts twice. */
export interface PinInput {
  id: SmsId;
  at: Date;
  answer: PinAnswer;
}

/** What is known of the PIN of a wallet, without its hash. */
export interface PinTries {
  /** Wrong ones since the last right one, or since it was locked. */
  wrong: number;
  lockedUntil?: Date | undefined;
  /** What was decided, the newest last. */
  inputs: readonly PinInput[];
}

/** Whether an input came with the PIN that there is. `needless`: there is none yet. */
export type Proof = 'right' | 'wrong' | 'missing' | 'needless';

/** True if it has the form of a PIN: 4 to 8 digits. */
export const isPin = (text: string): boolean => /^\d{4,8}$/.test(text);

/** Rows and corners of a keypad, and what else people choose first of all. */
const COMMON = new Set([
  '0852',
  '1004',
  '1122',
  '1379',
  '2468',
  '2580',
  '5683',
  '112233',
  '147258',
  '159753',
  '258369',
  '11223344',
]);

/** Why a PIN is too easy: it is one of those that most people choose, and so that thieves try. Undefined if it is not. */
export function easyPinOf(pin: string): EasyPin | undefined {
  const steps = Array.from(pin.slice(1), (digit, index) => (Number(digit) - Number(pin[index]) + 10) % 10);
  if (steps.every((step) => step === 0)) return 'same_digit';
  if (steps.every((step) => step === 1) || steps.every((step) => step === 9)) return 'in_a_row';
  if (/^(\d{2,4})\1+$/.test(pin)) return 'repeated';
  if (/^(?:19|20)\d\d$/.test(pin)) return 'year';
  return COMMON.has(pin) ? 'common' : undefined;
}

/** What was answered to an input before. */
export function answerTo({ inputs }: PinTries, id: SmsId): PinAnswer | undefined {
  return inputs.find((input) => input.id === id)?.answer;
}

/** True while no PIN is compared. */
export const isLocked = ({ lockedUntil }: PinTries, now: Date): boolean => lockedUntil !== undefined && now < lockedUntil;

/** What is answered to an input that asks for a new PIN, and what is known after it. Pure; decided by whoever stores it. */
export function decided(pin: PinTries, id: SmsId, proof: Proof, now: Date): { answer: PinAnswer; next: PinTries } {
  const { answer, wrong, lockedUntil } = judged(pin, proof, now);
  return { answer, next: { wrong, lockedUntil, inputs: known([...pin.inputs, { id, at: now, answer }], now) } };
}

function judged(pin: PinTries, proof: Proof, now: Date): Omit<PinTries, 'inputs'> & { answer: PinAnswer } {
  const { wrong, lockedUntil } = pin;
  if (lockedUntil && now < lockedUntil) return { wrong, lockedUntil, answer: { result: 'locked', until: lockedUntil } };
  switch (proof) {
    case 'needless':
    case 'right':
      return { wrong: 0, answer: { result: 'set' } };
    case 'missing':
      return { wrong, answer: { result: 'old_needed' } };
    case 'wrong': {
      const left = TRIES - wrong - 1;
      if (left > 0) return { wrong: wrong + 1, answer: { result: 'wrong', left } };
      const until = new Date(now.getTime() + LOCKED_FOR_MS);
      return { wrong: 0, lockedUntil: until, answer: { result: 'locked', until } };
    }
    default:
      return proof satisfies never;
  }
}

function known(inputs: readonly PinInput[], now: Date): PinInput[] {
  return inputs
    .slice(-KNOWN_MAX)
    .filter(({ at }, index, { length }) => index >= length - KNOWN_MIN || now.getTime() - at.getTime() < KNOWN_FOR_MS);
}
