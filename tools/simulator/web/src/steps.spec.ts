import { describe, expect, it } from '@jest/globals';
import type { Hop, Text } from '../../src/live.ts';
import { lastSent, stepsOf } from './steps.ts';

const ADA = { name: 'Ada', number: '+254722004321' };
const BEN = { name: 'Ben', number: '+254712345678' };

const text = (more: Partial<Text>): Text => ({
  sid: 'SM1',
  phone: ADA.number,
  direction: 'sent',
  body: '493817',
  segments: 1,
  status: 'received',
  at: 1000,
  updatedAt: 1007,
  ...more,
});
const hop = (more: Partial<Hop>): Hop => ({
  spanId: 's1',
  from: 'sms-gateway',
  to: 'transactions',
  name: 'transactions.carry_out',
  at: 1003.2,
  ms: 24.4,
  failed: false,
  ...more,
});

describe('the way of a text', () => {
  it('goes there, through the services, and back to every phone, in order of time', () => {
    const receipt = text({
      sid: 'SM2',
      phone: BEN.number,
      direction: 'received',
      status: 'delivered',
      at: 1041,
      updatedAt: 1046,
    });
    const make = hop({ spanId: 's2', from: 'transactions', to: 'wallet', name: 'wallet.transfer.make', at: 1006.1, ms: 15.9 });
    expect(stepsOf(text({}), [receipt], [make, hop({})], [ADA, BEN])).toMatchObject([
      { from: 'phones', to: 'Twilio', phone: 'Ada' },
      { from: 'Twilio', to: 'sms-gateway', ms: 7 },
      { from: 'sms-gateway', to: 'transactions', what: 'transactions.carry_out', ms: 24.4 },
      { from: 'transactions', to: 'wallet', what: 'wallet.transfer.make', ms: 15.9 },
      { from: 'Twilio', to: 'phones', phone: 'Ben', ms: 5 },
    ]);
  });

  it('holds only what happens after the text and soon', () => {
    const early = text({ sid: 'SM0', direction: 'received', status: 'delivered', at: 900, updatedAt: 990 });
    expect(stepsOf(text({}), [early], [hop({ at: 999 }), hop({ at: 31_001 })], [ADA])).toHaveLength(2);
  });

  it('says what failed, and has no time for what is under way', () => {
    expect(stepsOf(text({ status: 'receiving' }), [], [], [ADA])[1]).toMatchObject({ ms: undefined, failed: false });
    expect(stepsOf(text({ errorCode: 11200 }), [], [], [ADA])[1]).toMatchObject({ failed: true });
  });

  it('is that of the last text sent', () => {
    expect(
      lastSent([text({ at: 5 }), text({ sid: 'SM2', at: 9 }), text({ sid: 'SM3', at: 20, direction: 'received' })])?.sid,
    ).toBe('SM2');
    expect(lastSent([])).toBeUndefined();
  });
});
