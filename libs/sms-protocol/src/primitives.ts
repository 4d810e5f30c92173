/**
 * All the cryptography that the protocol asks of its surroundings (docs/protocol.md, "2. Primitives"). Two implementations give the same
 * answers: `noble.ts` for clients, `node.ts` for the server. None of the functions throws on bytes from outside.
 */
export interface Primitives {
  sha256(data: Uint8Array): Uint8Array;
  /** HMAC-SHA-256. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** RFC 8439 with a nonce of 12 bytes, block counter 0. */
  chacha20(key: Uint8Array, nonce: Uint8Array, data: Uint8Array): Uint8Array;
  /** From a cryptographic source. */
  random(length: number): Uint8Array;
  x25519: {
    publicKey(secret: Uint8Array): Uint8Array;
    /** Undefined if the result is all zero, or the key is not one. */
    shared(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  };
  ed25519: {
    publicKey(secret: Uint8Array): Uint8Array;
    sign(secret: Uint8Array, message: Uint8Array): Uint8Array;
    /** Strict: S below L, canonical points, a key of large order, no torsion in the key or R. */
    verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
    /** Whether `verify` would take this key at all: what a trust list may hold. */
    isKey(publicKey: Uint8Array): boolean;
  };
}

/** The server's X25519 keys, by the serial of their certificate. Undefined: no such key, or the result is all zero. */
export interface Agree {
  agree(serial: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array | undefined>;
}

/** The server's Ed25519 keys, by the serial of their certificate. Rejects where there is no such key. */
export interface Sign {
  sign(serial: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
}
