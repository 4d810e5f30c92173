import { chacha20 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { isKey, isSignature } from './points.ts';
import type { Primitives } from './primitives.ts';

/**
 * Primitives of clients: pure JavaScript, and `crypto.getRandomValues`. @noble needs `globalThis` and `Object.hasOwn`, both younger than a
 * WebView of 2018: there the page sets them before it loads this.
 */
export const noble: Primitives = {
  sha256: (data) => sha256(data),
  hmac: (key, data) => hmac(sha256, key, data),
  chacha20: (key, nonce, data) => chacha20(key, nonce, data),
  random: (length) => crypto.getRandomValues(new Uint8Array(length)),
  x25519: {
    publicKey: (secret) => x25519.getPublicKey(secret),
    shared: (secret, publicKey) => {
      try {
        return x25519.getSharedSecret(secret, publicKey);
      } catch {
        return undefined;
      }
    },
  },
  ed25519: {
    publicKey: (secret) => ed25519.getPublicKey(secret),
    sign: (secret, message) => ed25519.sign(message, secret),
    verify: (publicKey, message, signature) =>
      isKey(publicKey) && isSignature(signature) && ed25519.verify(signature, message, publicKey, { zip215: false }),
    isKey,
  },
};
