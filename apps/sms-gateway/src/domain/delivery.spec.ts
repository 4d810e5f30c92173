import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isEnd, stateOfReport, statesBefore, type TextState } from './delivery.ts';

const STATUSES = [
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'sent',
  'delivered',
  'read',
  'undelivered',
  'failed',
  'canceled',
  'receiving',
  'received',
  '',
];

/** What the stored state becomes by one report, as the conditional update does it. */
const after = (state: TextState, status: string): TextState => {
  const next = stateOfReport(status);
  return next && statesBefore(next).includes(state) ? next : state;
};

describe('delivery reports', () => {
  it('move a text forward only, in whatever order and however often they come', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...STATUSES)), (statuses) => {
        let state: TextState = 'trying';
        for (const status of statuses) {
          const next = after(state, status);
          if (next !== state) expect(statesBefore(next)).toContain(state);
          expect(after(next, status)).toBe(next);
          state = next;
        }
      }),
    );
  });

  it('end with the first final one', () => {
    expect(['sent', 'delivered', 'sent', 'undelivered'].reduce<TextState>(after, 'trying')).toBe('delivered');
    expect(['failed', 'delivered'].reduce<TextState>(after, 'handed_over')).toBe('failed');
    expect((['delivered', 'undelivered', 'failed', 'dropped'] as const).every(isEnd)).toBe(true);
    expect((['queued', 'trying', 'handed_over', 'sent'] as const).some(isEnd)).toBe(false);
  });

  it('that nobody knows change nothing', () => {
    expect(stateOfReport('teleported')).toBeUndefined();
  });
});
