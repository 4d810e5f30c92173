import { expect, it } from '@jest/globals';
import { GUESSES_MAX, ticketsOf } from './guessing.ts';

it('the tickets of a number are five, and of no other number', () => {
  const all = [...ticketsOf('+254712345678'), ...ticketsOf('+254712345679')];
  expect(new Set(all).size).toBe(2 * GUESSES_MAX);
  expect(ticketsOf('+254712345678')).toEqual(ticketsOf('+254712345678'));
});
