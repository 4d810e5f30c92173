import { ascii, concat, u8 } from './bytes.ts';
import type { SessionKeys } from './handshake.ts';
import { hash, keys } from './kdf.ts';
import type { Epoch } from './messages.ts';
import type { Primitives } from './primitives.ts';

/** docs/protocol.md, "8. Re-key": a fresh X25519 exchange inside the old epoch, chained to its root key. */

const REKEY = concat(ascii('smspay/1 rekey'), u8(0));
const TRANSFER = concat(ascii('smspay/1 transfer'), u8(0));

/** The keys of the epoch after `old`. `secret` is one's own, `publicKey` the other's. Undefined: a key of low order. */
export function nextKeys(
  p: Primitives,
  old: Pick<Epoch, 'th' | 'rk'>,
  secret: Uint8Array,
  publicKey: Uint8Array,
  side: 'client' | 'server',
): SessionKeys | undefined {
  const shared = p.x25519.shared(secret, publicKey);
  if (!shared) return undefined;
  const own = p.x25519.publicKey(secret);
  const [ecPub, esPub] = side === 'client' ? [own, publicKey] : [publicKey, own];
  const th = hash(p, REKEY, old.th, ecPub, esPub);
  const [ckC, ckS, rk] = keys(p, old.rk, shared, concat(ascii('rekey'), th), 3) as [Uint8Array, Uint8Array, Uint8Array];
  return { th, rk, ckC, ckS };
}

/** What an old phone's root key proves to a new session: docs/protocol.md, "12. New phone, SIM swap, stolen phone". */
export const transferProof = (p: Primitives, oldRk: Uint8Array, newTh: Uint8Array) =>
  p.hmac(oldRk, concat(TRANSFER, newTh)).slice(0, 16);

/** No proof. */
export const NO_PROOF = new Uint8Array(16);
