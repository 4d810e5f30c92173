import { describe, expect, it } from '@jest/globals';
import type { Cause, Msisdn, Sealed, SmsId } from '#libs/contracts';
import fc from 'fast-check';
import { decideOnPin, needsPins, outcomeOf, type PinChange, pinEventOf, type PinInput, type PinTale } from './pin-change.ts';

const at = (minute: number) => new Date(minute * 60_000);
const cause = (n: number) => `SM9${n}` as Cause;
const WAITING: PinChange = {
  id: 'SM1' as SmsId,
  origin: 'pin',
  number: '+254712345678' as Msisdn,
  language: 'en',
  openedAt: at(0),
  dropAt: at(10),
  endsAt: at(20),
  expiresAt: at(30),
  codeDigits: 6,
  state: 'waits',
};
const anyInput: fc.Arbitrary<PinInput> = fc.oneof(
  fc.nat(3).map((n): PinInput => ({ type: 'right_code', cause: cause(n) })),
  fc.nat(3).map((n): PinInput => ({ type: 'no', cause: cause(n) })),
  fc.constantFrom<PinInput>(
    { type: 'replaced' },
    { type: 'time_is_up' },
    { type: 'code_guessed' },
    { type: 'wallet_answered', answer: { result: 'set' } },
    { type: 'wallet_answered', answer: { result: 'locked', until: at(1_470) } },
  ),
);

/** How it goes on, step by step, and what is told. */
function lifeOf(inputs: readonly PinInput[]): { changes: PinChange[]; told: PinTale[] } {
  const changes = [WAITING];
  const told: PinTale[] = [];
  for (const input of inputs) {
    const last = changes.at(-1) as PinChange;
    const decision = decideOnPin(last, input);
    if (!decision) continue;
    changes.push({ ...last, ...decision.changes } as PinChange);
    told.push(...decision.untold);
  }
  return { changes, told };
}

describe('a PIN that is to be set', () => {
  it('is asked of the wallet after the right code alone, and ends once', () => {
    fc.assert(
      fc.property(fc.array(anyInput, { maxLength: 20 }), (inputs) => {
        const { changes, told } = lifeOf(inputs);
        const states = changes.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
        expect([
          'waits',
          'waits,confirmed',
          'waits,confirmed,answered',
          'waits,withdrawn',
          'waits,replaced',
          'waits,expired',
        ]).toContain(states.join());
        const end = states.at(-1);
        expect(told.filter((tale) => tale === 'pin_outcome')).toHaveLength(end === 'answered' || end === 'withdrawn' ? 1 : 0);
        expect(told.filter((tale) => tale === 'pin_code').length).toBeLessThanOrEqual(1);
        if (end === 'confirmed' || end === 'answered') expect(inputs.some(({ type }) => type === 'right_code')).toBe(true);
      }),
    );
  });

  it('takes each input twice as once', () => {
    fc.assert(
      fc.property(fc.array(anyInput), (inputs) => {
        expect(lifeOf(inputs.flatMap((input) => [input, input]))).toEqual(lifeOf(inputs));
      }),
    );
  });

  it('keeps its PINs as long as they are needed', () => {
    for (const state of ['waits', 'confirmed'] as const) expect(needsPins({ state } as PinChange)).toBe(true);
    for (const state of ['answered', 'withdrawn', 'replaced', 'expired'] as const)
      expect(needsPins({ state } as PinChange)).toBe(false);
  });

  const told = { minutes: 10, now: at(1) };
  const seal = (eventId: string) => `k1.${eventId.replaceAll(':', '-')}` as Sealed;

  it('is told with its code, once more under another id where that grew longer', () => {
    expect(pinEventOf(WAITING, 'pin_code', told, seal)).toEqual({
      id: 'SM1:pin_code',
      to: { number: '+254712345678', language: 'en' },
      currency: 'XXX',
      dropAt: at(10),
      answers: 'SM1',
      message: { type: 'pin_code', code: 'k1.SM1-pin_code', minutes: 10 },
    });
    expect(pinEventOf({ ...WAITING, codeDigits: 9 }, 'pin_code', told, seal)?.id).toBe('SM1:pin_code:9');
    expect(pinEventOf(WAITING, 'pin_code', told)).toBeUndefined();
  });

  it('is told how it ended where its code was not told in time, in the place of the code', () => {
    expect(pinEventOf({ ...WAITING, state: 'replaced' }, 'pin_code', told, seal)).toMatchObject({
      id: 'SM1:pin_code',
      answers: 'SM1',
      message: { type: 'pin_outcome', outcome: { result: 'replaced' } },
    });
  });

  it('is told what came of it in the answer to the code', () => {
    const closedBy = cause(1);
    expect(pinEventOf({ ...WAITING, state: 'answered', closedBy, answer: { result: 'set' } }, 'pin_outcome', told)).toMatchObject(
      {
        id: 'SM1:pin_outcome',
        answers: closedBy,
        message: { type: 'pin_outcome', outcome: { result: 'set' } },
      },
    );
  });

  it('says how many hours it is locked still', () => {
    const locked = { state: 'answered', closedBy: cause(1), answer: { result: 'locked', until: at(24 * 60) } } as const;
    expect([0, 61, 24 * 60 - 1, 25 * 60].map((minute) => outcomeOf(locked, at(minute)).hours)).toEqual([24, 23, 1, 1]);
  });
});
