import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codeOf, freeN } from './code.ts';

const KEY = createSecretKey(Buffer.alloc(32, 7));

describe('a code', () => {
  it('is six digits, or nine, and the same each time it is computed', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (id, n) => {
        expect(codeOf(KEY, id, n, 6)).toMatch(/^\d{6}$/);
        expect(codeOf(KEY, id, n, 9)).toMatch(/^\d{9}$/);
        expect(codeOf(KEY, id, n, 6)).toBe(codeOf(KEY, id, n, 6));
      }),
    );
  });

  it('depends on the key, the thing and n', () => {
    const codes = [
      codeOf(KEY, 'SM1', 0, 6),
      codeOf(KEY, 'SM1', 1, 6),
      codeOf(KEY, 'SM2', 0, 6),
      codeOf(createSecretKey(Buffer.alloc(32, 8)), 'SM1', 0, 6),
    ];
    expect(new Set(codes).size).toBe(4);
  });

  it('steps aside for another one of the same person', () => {
    const taken = new Set([codeOf(KEY, 'SM1', 0, 6), codeOf(KEY, 'SM1', 1, 6)]);
    expect(freeN(KEY, 'SM1', 6, taken)).toBe(2);
    expect(freeN(KEY, 'SM1', 6, new Set())).toBe(0);
  });
});
