import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { CertificateProblem } from './problem.ts';

/** Ed25519 signs, X25519 agrees on secrets. */
export type KeyType = 'ed25519' | 'x25519';

/** A new private key. */
export function newKey(type: KeyType): KeyObject {
  return type === 'ed25519' ? generateKeyPairSync('ed25519').privateKey : generateKeyPairSync('x25519').privateKey;
}

/** PKCS#8, PEM. */
export function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Throws a `CertificateProblem` unless it is PKCS#8 in PEM with a key of the type; the message holds nothing of the key. */
export function readKey(pem: string, type: KeyType): KeyObject {
  let key;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new CertificateProblem('is no private key in PEM');
  }
  if (key.asymmetricKeyType !== type) throw new CertificateProblem(`must be an ${type} key, is ${key.asymmetricKeyType}`);
  return key;
}

/** The 32 bytes of the public key, of either half. */
export function rawPublicKey(key: KeyObject): Buffer {
  const { x = '' } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

/**
 * Throws a `CertificateProblem` unless it is a canonical point of the prime-order subgroup: under any other, verifiers with and without
 * the cofactor can differ (docs/protocol.md, "2. Primitives").
 */
export function mustBeStrongSigner(signPub: Uint8Array): void {
  let point;
  try {
    point = ed25519.Point.fromBytes(signPub);
  } catch {
    throw new CertificateProblem('the Ed25519 key is no point of the curve');
  }
  if (point.isSmallOrder()) throw new CertificateProblem('the Ed25519 key has a small order: anybody can sign under it');
  if (!point.isTorsionFree()) throw new CertificateProblem('the Ed25519 key has a torsion component: verifiers would differ');
}

/** Throws a `CertificateProblem` if every secret that is agreed on with this key would be zero. */
export function mustBeStrongAgreer(dhPub: Uint8Array): void {
  try {
    x25519.getSharedSecret(PROBE, dhPub);
  } catch {
    throw new CertificateProblem('the X25519 key has a small order: everybody would know the secret');
  }
}

/** Clamped, every secret is a multiple of the cofactor: one finds what all do. */
const PROBE = new Uint8Array(32).fill(7);
