import { ed25519 } from '@noble/curves/ed25519.js';

/**
 * The points that docs/protocol.md, "2. Primitives", takes, for both implementations: where it refuses what is not canonical, of small order or
 * with a torsion component, verifiers with and without the cofactor cannot differ.
 */

function point(bytes: Uint8Array) {
  try {
    return bytes.length === 32 ? ed25519.Point.fromBytes(bytes, false) : undefined;
  } catch {
    return undefined;
  }
}

/** A canonical point of large order, without a torsion component. */
export function isKey(bytes: Uint8Array): boolean {
  const key = point(bytes);
  return key !== undefined && !key.isSmallOrder() && key.isTorsionFree();
}

/** A signature whose R is such a point too, and whose S is below L. OpenSSL 3.5 refuses the identity as R and 3.0 takes it, so all refuse it. */
export const isSignature = (bytes: Uint8Array) =>
  bytes.length === 64 && isBelowOrder(bytes.subarray(32)) && isKey(bytes.subarray(0, 32));

function isBelowOrder(scalar: Uint8Array): boolean {
  const value = scalar.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return value < ed25519.Point.Fn.ORDER;
}
