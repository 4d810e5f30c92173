import type { Cause, Currency, Event, Language, Message, Msisdn, PinAnswer, PinOutcome, Sealed, SmsId } from '#libs/contracts';
import type { CodeDigits } from './waiting-room.ts';

/** ISO 4217: no currency is involved. */
const NO_CURRENCY = 'XXX' as Currency;
const HOUR_MS = 3_600_000;

/** A PIN that somebody wants to set, fixed when it was asked for. The PINs themselves are no part of it: nothing is decided by them here. */
export interface PinTerms {
  /** That of the SMS that asks for it. */
  id: SmsId;
  origin: 'pin';
  number: Msisdn;
  language: Language;
  openedAt: Date;
  /** The code's text is dropped if not handed over by then. */
  dropAt: Date;
  /** A code counts if the inbox recorded it before this. */
  endsAt: Date;
  /** It expires only now, so that a code that counts is understood first. */
  expiresAt: Date;
  /** Digits of the code that was told: 6, and 9 once more while codes are being guessed. */
  codeDigits: CodeDigits;
}

/** How it stands. `closedBy` is the SMS whose code decided. Whatever the number has, it waits for the code in the same words. */
export type PinStanding =
  | { state: 'waits' }
  /** The code came: the wallet is asked until it answers. */
  | { state: 'confirmed'; closedBy: Cause }
  | { state: 'answered'; closedBy: Cause; answer: PinAnswer }
  | { state: 'withdrawn'; closedBy: Cause }
  /** A newer one took its place. */
  | { state: 'replaced' }
  | { state: 'expired' };

export type PinChange = PinTerms & PinStanding;

/** What can happen to it. Each may come twice, late and in any order. */
export type PinInput =
  | { type: 'right_code'; cause: Cause }
  | { type: 'no'; cause: Cause }
  | { type: 'replaced' }
  | { type: 'time_is_up' }
  /** Somebody guesses at the number's codes: this one gets nine digits. */
  | { type: 'code_guessed' }
  | { type: 'wallet_answered'; answer: PinAnswer };

/** What its person is told: the types of the messages, stored untold with the state that they tell. */
export type PinTale = 'pin_code' | 'pin_outcome';

/** All that changes; `untold` comes on top of what is untold already. */
export interface PinDecision {
  changes: PinStanding | Pick<PinTerms, 'codeDigits'>;
  untold: PinTale[];
}

/** What `input` makes of it; undefined if nothing. Pure. Only the code lets the wallet be asked, and only once. */
export function decideOnPin(change: PinChange, input: PinInput): PinDecision | undefined {
  if (change.state === 'confirmed' && input.type === 'wallet_answered') {
    const { closedBy } = change;
    return { changes: { state: 'answered', closedBy, answer: input.answer }, untold: ['pin_outcome'] };
  }
  if (change.state !== 'waits') return undefined;
  switch (input.type) {
    case 'right_code':
      return { changes: { state: 'confirmed', closedBy: input.cause }, untold: [] };
    case 'no':
      return { changes: { state: 'withdrawn', closedBy: input.cause }, untold: ['pin_outcome'] };
    // Nobody is told of what they did not answer: it may be a stranger who asked.
    case 'replaced':
      return { changes: { state: 'replaced' }, untold: [] };
    case 'time_is_up':
      return { changes: { state: 'expired' }, untold: [] };
    case 'code_guessed':
      return change.codeDigits === 9 ? undefined : { changes: { codeDigits: 9 }, untold: ['pin_code'] };
    case 'wallet_answered':
      return undefined;
    default:
      return input satisfies never;
  }
}

/** True while its PINs are needed. */
export const needsPins = ({ state }: PinStanding): boolean => state === 'waits' || state === 'confirmed';

/** How it stands, as its person is told it. */
export function outcomeOf(change: PinStanding, now: Date): Message & { type: 'pin_outcome' } {
  const of = (outcome: PinOutcome, hours?: number) => ({ type: 'pin_outcome' as const, outcome, ...(hours ? { hours } : {}) });
  switch (change.state) {
    case 'waits':
    case 'confirmed':
      return of({ result: 'being_set' });
    case 'answered': {
      const { answer } = change;
      if (answer.result !== 'locked') return of(answer);
      return of(answer, Math.max(1, Math.ceil((answer.until.getTime() - now.getTime()) / HOUR_MS)));
    }
    case 'withdrawn':
    case 'replaced':
    case 'expired':
      return of({ result: change.state });
    default:
      return change satisfies never;
  }
}

/** The event that tells one tale of it. Whose code counts no more when it is told is told that instead, under the same id. */
export function pinEventOf(
  change: PinChange,
  tale: PinTale,
  { minutes, now }: { minutes: number; now: Date },
  seal?: (eventId: string) => Sealed | undefined,
): Event | undefined {
  const { id: smsId, number, language, codeDigits, dropAt } = change;
  // A code of nine digits is told once more, in a text of its own.
  const id = tale === 'pin_code' && codeDigits === 9 ? `${smsId}:${tale}:9` : `${smsId}:${tale}`;
  const event = { id, to: { number, language }, currency: NO_CURRENCY };
  if (tale === 'pin_code' && change.state === 'waits') {
    const code = seal?.(id);
    return code && { ...event, dropAt, answers: smsId, message: { type: 'pin_code', code, minutes } };
  }
  const closedBy = tale === 'pin_outcome' && 'closedBy' in change ? (change.closedBy as string as SmsId) : smsId;
  return { ...event, answers: closedBy, message: outcomeOf(change, now) };
}
