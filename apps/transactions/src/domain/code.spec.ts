import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codeOf, freeCodeN } from './code.ts';
import type { CodeDigits } from './waiting-room.ts';

const KEY = createSecretKey(Buffer.alloc(32, 7));
const OTHER_KEY = createSecretKey(Buffer.alloc(32, 8));
const thing = (id: string, codeN = 0, codeDigits: CodeDigits = 6) => ({ id, codeN, codeDigits });

describe('a code', () => {
  it('is six digits, or nine, and the same each time it is computed', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (id, n) => {
        expect(codeOf(KEY, thing(id, n))).toMatch(/^\d{6}$/);
        expect(codeOf(KEY, thing(id, n, 9))).toMatch(/^\d{9}$/);
        expect(codeOf(KEY, thing(id, n))).toBe(codeOf(KEY, thing(id, n)));
      }),
    );
  });

  it('depends on the key, the thing and n', () => {
    const codes = [
      codeOf(KEY, thing('SM1')),
      codeOf(KEY, thing('SM1', 1)),
      codeOf(KEY, thing('SM2')),
      codeOf(OTHER_KEY, thing('SM1')),
    ];
    expect(new Set(codes).size).toBe(4);
  });

  it('of nine digits says nothing of the one of six', () => {
    const same = Array.from({ length: 1_000 }, (_, n) => n).filter((n) =>
      codeOf(KEY, thing('SM1', n, 9)).endsWith(codeOf(KEY, thing('SM1', n))),
    );
    expect(same.length).toBeLessThan(3);
  });

  it('steps aside for another one of the same number', () => {
    const taken = new Set([codeOf(KEY, thing('SM1')), codeOf(KEY, thing('SM1', 1))]);
    expect(freeCodeN(KEY, { id: 'SM1', codeDigits: 6 }, taken)).toBe(2);
    expect(freeCodeN(KEY, { id: 'SM1', codeDigits: 6 }, new Set())).toBe(0);
  });
});
