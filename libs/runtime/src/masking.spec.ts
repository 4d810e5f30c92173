import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { masked, maskNumbers, maskNumbersInJson } from './masking.ts';

describe('a phone number', () => {
  it('is shown by its beginning and its end, with four digits hidden at least', () => {
    expect(masked('+254712345678')).toBe('+2547****5678');
    expect(masked('0712345678')).toBe('07****5678');
    expect(masked('+12345678')).toBe('+****5678');
    expect(masked('12345678')).toBe('****');
    expect(masked('MPESA')).toBe('****');
    fc.assert(
      fc.property(fc.stringMatching(/^\+?\d{7,15}$/), (number) => {
        expect(masked(number).replaceAll(/\D/g, '').length).toBeLessThanOrEqual(number.replace('+', '').length - 4);
      }),
    );
  });

  it.each([
    ['SM0123:paid:+254712345678', 'SM0123:paid:+2547****5678'],
    ['+254712345678:pay:1', '+2547****5678:pay:1'],
    ['dup key: { number: "+254712345678" }', 'dup key: { number: "+2547****5678" }'],
    [`No document found for query "{ _id: '254712345678' }"`, `No document found for query "{ _id: '2547****5678' }"`],
    ['0712345678 or 0798765432', '07****5678 or 07****5432'],
    ['/Messages.json?To=%2B254712345678&PageSize=1000', '/Messages.json?To=%2B2547****5678&PageSize=1000'],
    ['one\\n0712345678', 'one\\n07****5678'],
  ])('is masked in %s', (text, without) => {
    expect(maskNumbers(text)).toBe(without);
    expect(maskNumbers(without)).toBe(without);
  });

  it.each([
    '2026-11-30T06:10:50.207Z',
    'SM31600000001404692f38db4914a6d1c',
    '751e745e46638f12818f9f6541877712',
    '00-12345678e46638f12818f9f654187770-3790acf805e481ea-01',
    '127.0.0.1:65535',
    'file:///app/dist/main.js:1234:56',
    'KES 1,000,000.00',
    '12345678901234567890',
  ])('is not seen in %s', (text) => {
    expect(maskNumbers(text)).toBe(text);
  });

  it('is masked in the strings of JSON, which stays what it is', () => {
    expect(maskNumbersInJson('{"at":1764483050207,"why":"of \\"+254712345678\\"","all":[254712345678]}')).toBe(
      '{"at":1764483050207,"why":"of \\"+2547****5678\\"","all":[254712345678]}',
    );
    fc.assert(
      fc.property(fc.json(), fc.stringMatching(/^(\+|0)[1-9]\d{8,12}$/), fc.string(), (json, number, words) => {
        const line = JSON.stringify({ any: JSON.parse(json) as unknown, words: `${words} ${number}\n${number}"` });
        const without = maskNumbersInJson(line);
        expect(without).not.toContain(number.slice(1));
        expect(() => JSON.parse(without) as unknown).not.toThrow();
      }),
    );
  });
});
