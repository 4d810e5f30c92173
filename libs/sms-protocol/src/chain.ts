import { u8 } from './bytes.ts';
import type { Primitives } from './primitives.ts';

/**
 * The hash ratchet of docs/protocol.md, "6. Transport": one chain a direction, one key a message. All functions go from state to new state, so
 * what is refused changes nothing; who stores the new state has erased the keys that it no longer holds.
 */

/** Our own side: the chain key of message `next`. */
export interface SendChain {
  ck: Uint8Array;
  next: number;
}

/** The key of a message that has not come; `at`: when it was passed over, Unix seconds. */
export interface SkippedKey {
  n: number;
  mk: Uint8Array;
  at: number;
}

/** The other side's: the chain key of the message that is expected, and the keys of those that were passed over. */
export interface ReceiveChain {
  ck: Uint8Array;
  next: number;
  skipped: SkippedKey[];
}

/** Counters end here. */
export const LAST_COUNTER = 0xfffe;
/** From here on the server demands a re-key. */
export const REKEY_BY = 0xf000;
/** How far ahead a message may be: the server, and the client, whose phone may be off for weeks. */
export const GAP = { server: 256, client: 4096 } as const;

const SKIPPED_COUNTERS = 256;
const SKIPPED_SECONDS = 7 * 24 * 3600;

const ONE = u8(1);
const TWO = u8(2);

/** The key of the chain's message, and the chain key after it. */
export const step = (p: Primitives, ck: Uint8Array) => ({ mk: p.hmac(ck, ONE), ck: p.hmac(ck, TWO) });

/** The next message's key. Undefined: the counters are used up. */
export function nextKey(p: Primitives, chain: SendChain): { n: number; mk: Uint8Array; chain: SendChain } | undefined {
  if (chain.next > LAST_COUNTER) return undefined;
  const { mk, ck } = step(p, chain.ck);
  return { n: chain.next, mk, chain: { ck, next: chain.next + 1 } };
}

/** The chain `by` messages later: counters that a restored state may have used already are left out. Never beyond the last. */
export function stepOver(p: Primitives, chain: SendChain, by: number): SendChain {
  const next = Math.min(chain.next + by, LAST_COUNTER);
  let { ck } = chain;
  for (let n = chain.next; n < next; n++) ck = p.hmac(ck, TWO);
  return { ck, next };
}

export type KeyOfMessage =
  | { result: 'key'; mk: Uint8Array; chain: ReceiveChain }
  /** `replay`: it came before, or so long ago that its key is gone. `gap`: too far ahead. */
  | { result: 'refused'; reason: 'replay' | 'gap' };

/** The key of message `n`, and the chain as it is once that message has opened. `now`: Unix seconds, of the same clock each time. */
export function keyOf(p: Primitives, chain: ReceiveChain, n: number, gap: number, now: number): KeyOfMessage {
  if (n < chain.next) {
    const held = chain.skipped.find((key) => key.n === n);
    if (!held || isOld(held, chain.next, now)) return { result: 'refused', reason: 'replay' };
    return { result: 'key', mk: held.mk, chain: { ...chain, skipped: chain.skipped.filter((key) => key.n !== n) } };
  }
  if (n - chain.next > gap || n > LAST_COUNTER) return { result: 'refused', reason: 'gap' };
  const skipped = chain.skipped.slice();
  let keys = step(p, chain.ck);
  for (let passed = chain.next; passed < n; passed++) {
    skipped.push({ n: passed, mk: keys.mk, at: now });
    keys = step(p, keys.ck);
  }
  const next = n + 1;
  return { result: 'key', mk: keys.mk, chain: { ck: keys.ck, next, skipped: skipped.filter((key) => !isOld(key, next, now)) } };
}

const isOld = (key: SkippedKey, next: number, now: number) => key.n < next - SKIPPED_COUNTERS || key.at < now - SKIPPED_SECONDS;
