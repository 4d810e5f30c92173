import { type Decoded, decodeServerBody, type ServerBody } from './bodies.ts';
import { equal } from './bytes.ts';
import { signedBytes } from './messages.ts';
import type { Primitives } from './primitives.ts';
import { type Certificate, serialOf } from './trust.ts';

/** One message of the server, as anyone who has its certificate can check it (docs/protocol.md, "6. Transport"). No secret is in it. */
export interface Receipt {
  msisdn: bigint;
  th: Uint8Array;
  n: number;
  serial: Uint8Array;
  /** As it was signed: with its padding, 36 bytes or 143. */
  body: Uint8Array;
  signature: Uint8Array;
}

/** Whether the holder of `certificate` said this to that number. That the certificate is the server's own is for whoever trusts it. */
export function verifyReceipt(p: Primitives, receipt: Receipt, { serial, signPub, dhPub }: Certificate): boolean {
  if (!equal(receipt.serial, serial) || !equal(serial, serialOf(p, signPub, dhPub))) return false;
  return p.ed25519.verify(signPub, signedBytes(receipt.msisdn, receipt.th, receipt.n, serial, receipt.body), receipt.signature);
}

/** What it says. */
export const readReceipt = (receipt: Receipt): Decoded<ServerBody> => decodeServerBody(receipt.body);
