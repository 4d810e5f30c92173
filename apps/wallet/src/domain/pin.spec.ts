import { describe, expect, it } from '@jest/globals';
import type { SmsId } from '#libs/contracts';
import fc from 'fast-check';
import {
  answerTo,
  decided,
  easyPinOf,
  isLocked,
  isPin,
  KNOWN_FOR_MS,
  KNOWN_MAX,
  KNOWN_MIN,
  LOCKED_FOR_MS,
  type PinTries,
  type Proof,
  TRIES,
} from './pin.ts';

const NONE: PinTries = { wrong: 0, inputs: [] };
const sms = (index: number) => `SM${index}` as SmsId;
const at = (ms: number) => new Date(ms);
const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 4, maxLength: 8 });
const HOUR_MS = 3_600_000;

describe('a PIN', () => {
  it('has 4 to 8 digits and nothing else', () => {
    fc.assert(fc.property(digits, (pin) => isPin(pin)));
    for (const text of ['', '123', '123456789', '12a4', ' 1234', '1234\n', '１２３４', '-123'])
      expect([text, isPin(text)]).toEqual([text, false]);
  });

  it.each([
    ['0000', 'same_digit'],
    ['77777777', 'same_digit'],
    ['1234', 'in_a_row'],
    ['4321', 'in_a_row'],
    ['7890', 'in_a_row'],
    ['87654321', 'in_a_row'],
    ['1212', 'repeated'],
    ['69696969', 'repeated'],
    ['123123', 'repeated'],
    ['83068306', 'repeated'],
    ['1987', 'year'],
    ['2031', 'year'],
    ['2580', 'common'],
    ['159753', 'common'],
  ])('%s is too easy: %s', (pin, why) => expect(easyPinOf(pin)).toBe(why));

  it.each(['8306', '1986123', '5927', '2158', '20193', '1324', '1221', '12123'])('%s is not', (pin) =>
    expect(easyPinOf(pin)).toBeUndefined(),
  );

  it('is seldom too easy: few of all are', () => {
    const four = Array.from({ length: 10_000 }, (_, pin) => String(pin).padStart(4, '0'));
    const easy = four.filter((pin) => easyPinOf(pin)).length;
    expect(easy).toBeGreaterThan(300);
    expect(easy).toBeLessThan(400);
  });
});

describe('tries', () => {
  /** What comes of inputs one after the other, an hour or less between them. */
  const lifeOf = (inputs: readonly { proof: Proof; afterMs: number }[]) => {
    let pin = NONE;
    let nowMs = 0;
    return inputs.map(({ proof, afterMs }, index) => {
      nowMs += afterMs;
      const { answer, next } = decided(pin, sms(index), proof, at(nowMs));
      pin = next;
      return { nowMs, proof, answer, pin };
    });
  };
  const anyInput = fc.record({
    proof: fc.constantFrom<Proof>('right', 'wrong', 'wrong', 'wrong', 'missing', 'needless'),
    afterMs: fc.integer({ min: 0, max: 12 * HOUR_MS }),
  });

  it('are three: the third wrong one locks it for 24 hours, and a right one begins anew', () => {
    const answers = (...proofs: Proof[]) => lifeOf(proofs.map((proof) => ({ proof, afterMs: 0 }))).map(({ answer }) => answer);
    const locked = { result: 'locked', until: at(LOCKED_FOR_MS) };
    const [two, one] = [
      { result: 'wrong', left: 2 },
      { result: 'wrong', left: 1 },
    ];
    expect(answers('wrong', 'wrong', 'wrong', 'right', 'missing')).toEqual([two, one, locked, locked, locked]);
    expect(answers('wrong', 'wrong', 'right', 'wrong', 'missing', 'wrong', 'wrong')).toEqual([
      two,
      one,
      { result: 'set' },
      two,
      { result: 'old_needed' },
      one,
      locked,
    ]);
  });

  it('are open again after 24 hours, and three once more', () => {
    const wrong = { proof: 'wrong', afterMs: 0 } as const;
    const life = lifeOf([wrong, wrong, wrong, { proof: 'wrong', afterMs: LOCKED_FOR_MS }, wrong, wrong]);
    expect(life.map(({ answer }) => answer.result)).toEqual(['wrong', 'wrong', 'locked', 'wrong', 'wrong', 'locked']);
  });

  it('are three wrong ones at most in any 24 hours without a right one, and no PIN is set by a wrong one', () => {
    fc.assert(
      fc.property(fc.array(anyInput, { maxLength: 60 }), (inputs) => {
        let countedMs: number[] = [];
        for (const { nowMs, proof, answer } of lifeOf(inputs)) {
          if (answer.result === 'set') {
            expect(['right', 'needless']).toContain(proof);
            countedMs = [];
          }
          const locksNow = answer.result === 'locked' && answer.until.getTime() === nowMs + LOCKED_FOR_MS;
          if (answer.result === 'wrong' || (proof === 'wrong' && locksNow)) countedMs.push(nowMs);
          expect(countedMs.filter((ms) => ms > nowMs - LOCKED_FOR_MS).length).toBeLessThanOrEqual(TRIES);
        }
      }),
    );
  });

  it('change nothing while it is locked, right or wrong', () => {
    fc.assert(
      fc.property(anyInput, fc.integer({ min: 0, max: LOCKED_FOR_MS - 1 }), ({ proof }, ms) => {
        const locked: PinTries = { wrong: 0, lockedUntil: at(LOCKED_FOR_MS), inputs: [] };
        expect(isLocked(locked, at(ms))).toBe(true);
        const { answer, next } = decided(locked, sms(1), proof, at(ms));
        expect(answer).toEqual({ result: 'locked', until: at(LOCKED_FOR_MS) });
        expect({ ...next, inputs: [] }).toEqual(locked);
      }),
    );
  });

  it('keep what they were answered: the newest 20, and those of two days up to 50', () => {
    fc.assert(
      fc.property(fc.array(anyInput, { maxLength: 120 }), (inputs) => {
        const life = lifeOf(inputs);
        for (const [index, { nowMs, pin }] of life.entries()) {
          const before = life.slice(0, index + 1);
          const young = before.filter((one) => nowMs - one.nowMs < KNOWN_FOR_MS).length;
          expect(pin.inputs).toHaveLength(Math.min(before.length, KNOWN_MAX, Math.max(KNOWN_MIN, young)));
          for (const { id, answer } of pin.inputs) {
            expect(answerTo(pin, id)).toEqual(answer);
            expect(life[Number(id.slice(2))]?.answer).toEqual(answer);
          }
        }
        expect(answerTo(life.at(-1)?.pin ?? NONE, sms(inputs.length))).toBeUndefined();
      }),
    );
  });
});
