import { LONG_BYTES, SHORT_BYTES } from './bodies.ts';
import { ascii, concat, equal, toHex, toNumber, u16, u64, u8 } from './bytes.ts';
import { GAP, keyOf, nextKey, type ReceiveChain, type SendChain } from './chain.ts';
import type { SessionKeys } from './handshake.ts';
import type { Primitives, Sign } from './primitives.ts';
import { open, seal } from './seal.ts';
import { clientKind, type Envelope, type Kind, serverKind, writeEnvelope } from './text.ts';

/** docs/protocol.md, "6. Transport": the messages of a session, the client's sealed, the server's signed and sealed. */

const MESSAGE = concat(ascii('smspay/1 msg'), u8(0));
const TO_CLIENT = concat(ascii('smspay/1 s2c'), u8(0));

/** One epoch of a session as one side holds it. Plain data. */
export interface Epoch {
  epoch: number;
  th: Uint8Array;
  rk: Uint8Array;
  send: SendChain;
  receive: ReceiveChain;
}

/** The client's epoch of fresh keys, and the server's: each one's sending chain is the other's receiving one. */
export const clientEpoch = (epoch: number, { th, rk, ckC, ckS }: SessionKeys): Epoch => ({
  epoch,
  th,
  rk,
  send: { ck: ckC, next: 0 },
  receive: { ck: ckS, next: 0, skipped: [] },
});
export const serverEpoch = (epoch: number, keys: SessionKeys): Epoch =>
  clientEpoch(epoch, { ...keys, ckC: keys.ckS, ckS: keys.ckC });

/** The id of what a client commands: no restored database can allot it twice. */
export const commandId = (th: Uint8Array, n: number) => `${toHex(th.subarray(0, 12))}:${n}`;

/** What both tags cover beside the plaintext. */
const aadOf = (kind: Kind, th: Uint8Array, head: Uint8Array) => concat(MESSAGE, ascii(kind), th, head);

/** What the certificate signs of a server's message. */
export const signedBytes = (msisdn: bigint, th: Uint8Array, n: number, serial: Uint8Array, body: Uint8Array) =>
  concat(TO_CLIENT, u64(msisdn), th, u16(n), serial, body);

/** `replay`: it came before, or too long ago. `gap`: too far ahead. `not_ours`: of another session or epoch, or changed on its way. */
export type Refusal = 'replay' | 'gap' | 'not_ours';

// --- Client to server ------------------------------------------------------------------------------------------------------------------------

/** `body`: 96 bytes, with the tail. Undefined: the counters are used up. */
export function sealForServer(
  p: Primitives,
  sid: Uint8Array,
  epoch: Epoch,
  body: Uint8Array,
): { n: number; text: string; epoch: Epoch } | undefined {
  const key = nextKey(p, epoch.send);
  if (!key) return undefined;
  const kind = clientKind(epoch.epoch);
  const head = concat(sid, u16(key.n));
  const text = writeEnvelope(kind, head, seal(p, key.mk, aadOf(kind, epoch.th, head), body, 16));
  return { n: key.n, text, epoch: { ...epoch, send: key.chain } };
}

/** The session that a client's message names, and its counter; before anything is proved. */
export const headOf = ({ bytes }: Envelope) => ({ sid: bytes.slice(0, 4), n: toNumber(bytes.subarray(4, 6)) });

export type OpenedByServer =
  { result: 'opened'; n: number; body: Uint8Array; epoch: Epoch } | { result: 'refused'; reason: Refusal };

/** `now`: Unix seconds. The epoch that comes back is stored before anything is done. */
export function openFromClient(p: Primitives, sid: Uint8Array, epoch: Epoch, envelope: Envelope, now: number): OpenedByServer {
  const { kind, bytes } = envelope;
  const head = bytes.subarray(0, 6);
  if (kind !== clientKind(epoch.epoch) || !equal(head.subarray(0, 4), sid)) return { result: 'refused', reason: 'not_ours' };
  const { n } = headOf(envelope);
  const key = keyOf(p, epoch.receive, n, GAP.server, now);
  if (key.result === 'refused') return key;
  const body = open(p, key.mk, aadOf(kind, epoch.th, head), bytes.subarray(6), 16);
  if (!body) return { result: 'refused', reason: 'not_ours' };
  return { result: 'opened', n, body, epoch: { ...epoch, receive: key.chain } };
}

// --- Server to client ------------------------------------------------------------------------------------------------------------------------

/** `body`: 36 bytes or 143. The epoch that comes back is stored before the text. Undefined: the counters are used up. */
export async function sealForClient(
  p: Primitives,
  keysOfServer: Sign,
  serial: Uint8Array,
  msisdn: bigint,
  epoch: Epoch,
  body: Uint8Array,
): Promise<{ n: number; text: string; epoch: Epoch } | undefined> {
  const key = nextKey(p, epoch.send);
  if (!key) return undefined;
  const kind = serverKind(epoch.epoch);
  const head = u16(key.n);
  const signature = await keysOfServer.sign(serial, signedBytes(msisdn, epoch.th, key.n, serial, body));
  const box = seal(p, key.mk, aadOf(kind, epoch.th, head), concat(serial, signature, body), 8);
  return { n: key.n, text: writeEnvelope(kind, head, box), epoch: { ...epoch, send: key.chain } };
}

/** A server's message that opened; whether its signature counts is for `verifyReceipt`. */
export interface OpenedByClient {
  result: 'opened';
  n: number;
  serial: Uint8Array;
  signature: Uint8Array;
  body: Uint8Array;
  epoch: Epoch;
}

/** The seal alone: the signature must be verified before the epoch that comes back is stored. `now`: seconds of the phone's clock. */
export function openFromServer(
  p: Primitives,
  epoch: Epoch,
  { kind, bytes }: Envelope,
  now: number,
): OpenedByClient | { result: 'refused'; reason: Refusal } {
  if (kind !== serverKind(epoch.epoch)) return { result: 'refused', reason: 'not_ours' };
  const head = bytes.subarray(0, 2);
  const n = toNumber(head);
  const key = keyOf(p, epoch.receive, n, GAP.client, now);
  if (key.result === 'refused') return key;
  const plain = open(p, key.mk, aadOf(kind, epoch.th, head), bytes.subarray(2), 8);
  if (!plain) return { result: 'refused', reason: 'not_ours' };
  const body = plain.slice(72);
  if (body.length !== SHORT_BYTES && body.length !== LONG_BYTES) return { result: 'refused', reason: 'not_ours' };
  return {
    result: 'opened',
    n,
    serial: plain.slice(0, 8),
    signature: plain.slice(8, 72),
    body,
    epoch: { ...epoch, receive: key.chain },
  };
}
