import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromBase62, isEnvelope, readEnvelope, toBase62, writeEnvelope } from './text.ts';

describe('base 62', () => {
  it('takes the least characters that hold so many bytes, exactly', () => {
    for (let n = 0; n <= 300; n++) {
      const c = BigInt(toBase62(new Uint8Array(n).fill(0xff)).length);
      expect(62n ** c >= 256n ** BigInt(n)).toBe(true);
      if (c > 0n) expect(62n ** (c - 1n) < 256n ** BigInt(n)).toBe(true);
    }
    expect([118, 225].map((n) => toBase62(new Uint8Array(n)).length)).toEqual([159, 303]);
  });

  it('reads what it wrote, and nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 230 }), (bytes) => expect(fromBase62(toBase62(bytes))).toEqual(bytes)));
    const digits = fc.stringMatching(/^[0-9A-Za-z]{0,60}$/);
    fc.assert(
      fc.property(digits, (text) => {
        const bytes = fromBase62(text);
        if (bytes) expect(toBase62(bytes)).toBe(text);
      }),
    );
    // Lengths between two, values that are too great, other characters.
    for (const text of ['0', '0000', '4A', 'zz', '-0', '0 ', '٣0', '\ud800\udc00'])
      expect([text, fromBase62(text)]).toEqual([text, undefined]);
    expect(fromBase62('47')).toEqual(Uint8Array.of(255));
    expect(fromBase62('48')).toBeUndefined();
  });
});

describe('an envelope', () => {
  it('is 160 characters or 304, of a kind', () => {
    const short = new Uint8Array(118);
    const long = new Uint8Array(225);
    for (const kind of ['H', 'C', 'D', 'S', 'T'] as const)
      expect(readEnvelope(writeEnvelope(kind, short))).toEqual({ kind, bytes: short });
    for (const kind of ['K', 'S', 'T'] as const)
      expect(readEnvelope(` \n${writeEnvelope(kind, long)}\t`)).toEqual({ kind, bytes: long });
    expect(isEnvelope(writeEnvelope('K', short))).toBe(false);
    expect(isEnvelope(writeEnvelope('H', long))).toBe(false);
    expect(isEnvelope(`PAY 25 0712345678 ${'x'.repeat(142)}`)).toBe(false);
    expect(isEnvelope(`S${'z'.repeat(159)}`)).toBe(true);
    expect(readEnvelope(`S${'z'.repeat(159)}`)).toBeUndefined();
  });
});
