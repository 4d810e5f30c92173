import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { PostedTransfer } from './transfer.ts';

/** LEDGER_KEY: the first key signs, every one verifies. */
export type LedgerKeys = readonly { id: string; key: KeyObject }[];

/**
 * The transfer with its hash, `<keyId>.<base64url>`: HMAC-SHA-256 over all its other fields. Each leg's `prev` is one of them, so the
 * hash covers the history of every chain the transfer is in. Fields that a later release adds are covered too.
 */
export function signed(transfer: Omit<PostedTransfer, 'hash'>, keys: LedgerKeys): PostedTransfer {
  const [first] = keys;
  if (!first) throw new Error('LEDGER_KEY holds no key');
  return { ...transfer, hash: `${first.id}.${mac(transfer, first.key).toString('base64url')}` };
}

/** Whether a stored transfer is as it was signed. `unknown_key`: its key is not in LEDGER_KEY. */
export function hashState({ hash, ...transfer }: PostedTransfer, keys: LedgerKeys): 'right' | 'wrong' | 'unknown_key' {
  const [id, digest = ''] = hash.split('.');
  const entry = keys.find((candidate) => candidate.id === id);
  if (!entry) return 'unknown_key';
  const expected = mac(transfer, entry.key);
  const found = Buffer.from(digest, 'base64url');
  return found.length === expected.length && timingSafeEqual(found, expected) ? 'right' : 'wrong';
}

function mac(transfer: object, key: KeyObject): Buffer {
  return createHmac('sha256', key).update(canonical(transfer)).digest();
}

/** One text for one value: keys sorted, absent fields left out, types that JSON lacks tagged. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `{"$long":"${value}"}`;
  if (value instanceof Date) return `{"$date":"${value.toISOString()}"}`;
  // The database keeps UTF-8, in which half a surrogate pair (a memo that was cut) is stored as U+FFFD.
  if (typeof value === 'string') return JSON.stringify(Buffer.from(value).toString());
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`;
}
