import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GAP, keyOf, LAST_COUNTER, nextKey, type ReceiveChain, stepOver } from './chain.ts';
import { node as p } from './node.ts';

const DAY = 24 * 3600;
const CK = p.sha256(new Uint8Array([1]));
const fresh: ReceiveChain = { ck: CK, next: 0, skipped: [] };

/** The keys of the first messages, as the sender makes them. */
function sent(count: number): Uint8Array[] {
  let chain = { ck: CK, next: 0 };
  return Array.from({ length: count }, () => {
    const key = nextKey(p, chain);
    if (!key) throw new Error('worn out');
    ({ chain } = key);
    return key.mk;
  });
}

/** The chain after message `n`, with its key. */
function taken(chain: ReceiveChain, n: number, now = 0, gap: number = GAP.server) {
  const key = keyOf(p, chain, n, gap, now);
  if (key.result !== 'key') throw new Error(key.reason);
  return key;
}

describe('a chain', () => {
  it('gives each message its key once, whatever the order', () => {
    const keys = sent(20);
    const counters = Array.from({ length: 20 }, (_, n) => n);
    fc.assert(
      fc.property(fc.shuffledSubarray(counters), (order) => {
        let chain = fresh;
        for (const n of order) {
          const key = taken(chain, n);
          expect(key.mk).toEqual(keys[n]);
          ({ chain } = key);
          expect(keyOf(p, chain, n, GAP.server, 0)).toEqual({ result: 'refused', reason: 'replay' });
        }
        expect(chain.skipped.length).toBe(order.length === 0 ? 0 : chain.next - order.length);
      }),
    );
    expect(fresh).toEqual({ ck: CK, next: 0, skipped: [] });
  });

  it('is 256 messages ahead of the server at most, 4096 of the client', () => {
    for (const gap of [GAP.server, GAP.client]) {
      expect(keyOf(p, fresh, gap + 1, gap, 0)).toEqual({ result: 'refused', reason: 'gap' });
      expect(taken(fresh, gap, 0, gap).chain.next).toBe(gap + 1);
    }
  });

  it('keeps the keys of the last 256 counters, for 7 days', () => {
    const { chain } = taken(fresh, 256);
    expect(chain.skipped.map(({ n }) => n)).toEqual(Array.from({ length: 255 }, (_, i) => i + 1));
    expect(keyOf(p, chain, 0, GAP.server, 0)).toEqual({ result: 'refused', reason: 'replay' });
    expect(taken(chain, 1, 7 * DAY).mk).toEqual(sent(2)[1]);
    expect(keyOf(p, chain, 1, GAP.server, 7 * DAY + 1)).toEqual({ result: 'refused', reason: 'replay' });
    expect(taken(chain, 257, 7 * DAY + 1).chain.skipped).toEqual([]);
    expect(taken(fresh, 4096, 0, GAP.client).chain.skipped).toHaveLength(255);
  });

  it('ends at FFFE', () => {
    const end = { ck: CK, next: LAST_COUNTER };
    const last = nextKey(p, end);
    expect(last?.n).toBe(0xfffe);
    expect(nextKey(p, last?.chain ?? end)).toBeUndefined();
    expect(keyOf(p, { ...end, skipped: [] }, 0xffff, GAP.server, 0)).toEqual({ result: 'refused', reason: 'gap' });
    expect(stepOver(p, { ck: CK, next: LAST_COUNTER - 1 }, 1000).next).toBe(LAST_COUNTER);
  });

  it('steps over counters as if they had been used', () => {
    const over = nextKey(p, stepOver(p, { ck: CK, next: 0 }, 7));
    expect([over?.n, over?.mk]).toEqual([7, sent(8)[7]]);
  });
});
