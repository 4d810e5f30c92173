import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { AccountId, Cause, Currency, TransferId } from '#libs/contracts';
import { hashState, signed } from './hash.ts';
import { KEYS } from './model.spec-helper.ts';
import type { PostedTransfer } from './transfer.ts';

const unsigned: Omit<PostedTransfer, 'hash'> = {
  _id: 'pay:SM1' as TransferId,
  kind: 'payment',
  currency: 'KES' as Currency,
  amount: 2500n,
  debit: {
    account: 'wallet:a' as AccountId,
    seq: 1,
    total: 2510n,
    dayTotal: 0n,
    monthTotal: 0n,
    frozen: false,
    tier: 0,
    prev: '',
  },
  credit: { account: 'wallet:b' as AccountId, lane: 0, seq: 1, total: 2500n, tier: 0, prev: 'k1.abc' },
  cause: 'SM2' as Cause,
  memo: 'lunch',
  at: new Date('2026-11-25T09:00:00Z'),
};

describe('the hash', () => {
  it('is the same in each release: stored hashes must go on to match', () => {
    expect(signed(unsigned, KEYS).hash).toBe('k1._tvtPX4pd8CQXQGSzFQrh2NxVNsLSRGcfgHznqsejGY');
  });

  it('depends neither on the order of fields nor on absent ones', () => {
    const { memo, ...rest } = unsigned;
    expect(signed({ memo, ...rest, ref: undefined } as never, KEYS).hash).toBe(signed(unsigned, KEYS).hash);
  });

  it('tells a number from a string and from a long', () => {
    const hashes = [1, 1n, '1', true, null, new Date(1)].map(
      (value) => signed({ ...unsigned, extra: value } as never, KEYS).hash,
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('is over what the database keeps of a memo that was cut within a character', () => {
    expect(signed({ ...unsigned, memo: '🍲'.slice(0, 1) }, KEYS).hash).toBe(signed({ ...unsigned, memo: '\ufffd' }, KEYS).hash);
  });

  it('is right under any key of the ring, and signs under the first', () => {
    const rotated = [{ id: 'k2', key: createSecretKey(Buffer.alloc(32, 2)) }, ...KEYS];
    expect(hashState(signed(unsigned, KEYS), rotated)).toBe('right');
    expect(signed(unsigned, rotated).hash).toMatch(/^k2\./);
    expect(hashState(signed(unsigned, rotated), KEYS)).toBe('unknown_key');
  });

  it('is wrong if anything was changed', () => {
    const transfer = signed(unsigned, KEYS);
    expect(hashState({ ...transfer, amount: 2501n }, KEYS)).toBe('wrong');
    expect(hashState({ ...transfer, hash: 'k1' }, KEYS)).toBe('wrong');
    expect(hashState({ ...transfer, extra: 1 } as never, KEYS)).toBe('wrong');
  });

  it('needs a key', () => {
    expect(() => signed(unsigned, [])).toThrow('LEDGER_KEY holds no key');
  });
});
