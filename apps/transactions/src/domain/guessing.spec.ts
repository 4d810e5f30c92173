import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codeDigits } from './guessing.ts';

const at = (minutes: number) => new Date(minutes * 60_000);
const wrong = (...minutes: number[]) => minutes.map(at);

describe('the digits of a code', () => {
  it('are six, until the fifth wrong one within an hour', () => {
    expect(codeDigits([], at(0))).toBe(6);
    expect(codeDigits(wrong(0, 1, 2, 3), at(3))).toBe(6);
    expect(codeDigits(wrong(0, 1, 2, 3, 4), at(4))).toBe(9);
    expect(codeDigits(wrong(0, 20, 40, 59, 60), at(60))).toBe(6);
  });

  it('are six again when an hour has passed without a wrong one', () => {
    expect(codeDigits(wrong(0, 1, 2, 3, 4), at(63))).toBe(9);
    expect(codeDigits(wrong(0, 1, 2, 3, 4), at(64))).toBe(6);
    expect(codeDigits(wrong(0, 1, 2, 3, 4, 50), at(109))).toBe(9);
    expect(codeDigits(wrong(0, 1, 2, 3, 4, 64), at(65))).toBe(6);
  });

  it('do not depend on the order in which wrong ones are found', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300)), fc.nat(400), (minutes, now) => {
        expect(codeDigits(wrong(...minutes.toReversed()), at(now))).toBe(codeDigits(wrong(...minutes), at(now)));
      }),
    );
  });

  it('never let a guesser have more than five tries at six digits in an hour', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 60 }), (minutes) => {
        const tries = minutes.toSorted((a, b) => a - b);
        const atSix = tries.filter((minute, index) => codeDigits(wrong(...tries.slice(0, index)), at(minute)) === 6);
        for (const [index, minute] of atSix.entries()) {
          const sixth = atSix[index + 5];
          if (sixth !== undefined) expect(sixth - minute).toBeGreaterThanOrEqual(60);
        }
      }),
    );
  });
});
