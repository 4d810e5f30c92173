import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { toHex } from './bytes.ts';
import { isKey, isSignature } from './points.ts';
import type { Agree, Primitives, Sign } from './primitives.ts';

/** Of a Buffer, so that no method of Buffer's own is in the way of what is stored and compared. */
const plain = (buffer: Buffer) => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

/** What stands before the 32 bytes of a key in DER (RFC 8410). */
const OID = { x25519: '6e', ed25519: '70' } as const;
type Curve = keyof typeof OID;

function secretKey(curve: Curve, secret: Uint8Array): KeyObject {
  const prefix = Buffer.from(`302e020100300506032b65${OID[curve]}04220420`, 'hex');
  return createPrivateKey({ key: Buffer.concat([prefix, secret]), format: 'der', type: 'pkcs8' });
}

function publicKey(curve: Curve, key: Uint8Array): KeyObject {
  const prefix = Buffer.from(`302a300506032b65${OID[curve]}032100`, 'hex');
  return createPublicKey({ key: Buffer.concat([prefix, key]), format: 'der', type: 'spki' });
}

const publicOf = (curve: Curve, secret: Uint8Array) =>
  plain(createPublicKey(secretKey(curve, secret)).export({ format: 'der', type: 'spki' })).slice(-32);

function shared(secret: KeyObject, key: Uint8Array): Uint8Array | undefined {
  if (key.length !== 32) return undefined;
  try {
    // OpenSSL refuses an all-zero result itself.
    return plain(diffieHellman({ privateKey: secret, publicKey: publicKey('x25519', key) }));
  } catch {
    return undefined;
  }
}

const BLOCK_COUNTER = new Uint8Array(4);

/** Primitives of the server: node:crypto. */
export const node: Primitives = {
  sha256: (data) => plain(createHash('sha256').update(data).digest()),
  hmac: (key, data) => plain(createHmac('sha256', key).update(data).digest()),
  chacha20: (key, nonce, data) => plain(createCipheriv('chacha20', key, Buffer.concat([BLOCK_COUNTER, nonce])).update(data)),
  random: (length) => plain(randomBytes(length)),
  x25519: {
    publicKey: (secret) => publicOf('x25519', secret),
    shared: (secret, key) => shared(secretKey('x25519', secret), key),
  },
  ed25519: {
    publicKey: (secret) => publicOf('ed25519', secret),
    sign: (secret, message) => plain(sign(null, message, secretKey('ed25519', secret))),
    // OpenSSL takes some points that are not canonical, and does not look for torsion.
    verify: (key, message, signature) =>
      isKey(key) && isSignature(signature) && verify(null, message, publicKey('ed25519', key), signature),
    isKey,
  },
};

/** The secrets of one certificate. */
export interface CertificateSecrets {
  serial: Uint8Array;
  signSecret: Uint8Array;
  dhSecret: Uint8Array;
}

/** The server's keys in this process's memory. */
export function keysInMemory(certificates: CertificateSecrets[]): Agree & Sign {
  const held = new Map(
    certificates.map(({ serial, signSecret, dhSecret }) => [
      toHex(serial),
      { forSigning: secretKey('ed25519', signSecret), forAgreeing: secretKey('x25519', dhSecret) },
    ]),
  );
  return {
    async agree(serial, key) {
      const keys = held.get(toHex(serial));
      return keys && shared(keys.forAgreeing, key);
    },
    async sign(serial, message) {
      const keys = held.get(toHex(serial));
      if (!keys) throw new Error(`no signing key for certificate ${toHex(serial)}`);
      return plain(sign(null, message, keys.forSigning));
    },
  };
}
