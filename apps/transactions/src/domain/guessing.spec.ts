import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GUESSES_MAX, ticketsOf } from './guessing.ts';

const anyTime = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });

describe('the tickets of a number', () => {
  it('are five an hour, and the same for the whole of it', () => {
    fc.assert(
      fc.property(anyTime, fc.nat(3_599_999), (at, laterMs) => {
        const hour = new Date(Math.floor(at.getTime() / 3_600_000) * 3_600_000);
        const tickets = ticketsOf('+254712345678', hour);
        expect(new Set(tickets).size).toBe(GUESSES_MAX);
        expect(ticketsOf('+254712345678', new Date(hour.getTime() + laterMs))).toEqual(tickets);
      }),
    );
  });

  it('are others in another hour, and of another number', () => {
    fc.assert(
      fc.property(anyTime, (at) => {
        const all = [
          ...ticketsOf('+254712345678', at),
          ...ticketsOf('+254712345678', new Date(at.getTime() + 3_600_000)),
          ...ticketsOf('+254712345679', at),
        ];
        expect(new Set(all).size).toBe(3 * GUESSES_MAX);
      }),
    );
  });
});
