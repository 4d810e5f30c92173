import { describe, expect, it } from '@jest/globals';
import { dayOf, monthOf } from './time.ts';

describe('days and months', () => {
  it('are those of the zone', () => {
    const at = new Date('2026-12-31T21:00:00Z');
    expect([dayOf(at, 'UTC'), dayOf(at, 'Africa/Nairobi')]).toEqual(['2026-12-31', '2027-01-01']);
    expect([monthOf(at, 'UTC'), monthOf(at, 'Africa/Nairobi')]).toEqual(['2026-12', '2027-01']);
  });

  it('order as text as they do in time', () => {
    expect(dayOf(new Date('2026-09-30T12:00:00Z'), 'UTC') < dayOf(new Date('2026-10-01T12:00:00Z'), 'UTC')).toBe(true);
  });
});
