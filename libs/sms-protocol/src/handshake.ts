import { type Ack, decodeAck, decodeHello, encodeAck, encodeHello, type Hello } from './bodies.ts';
import { ascii, concat, equal, u64, u8 } from './bytes.ts';
import { hash, keys } from './kdf.ts';
import type { Agree, Primitives, Sign } from './primitives.ts';
import { open, seal } from './seal.ts';
import { type Envelope, writeEnvelope } from './text.ts';
import type { Certificate } from './trust.ts';

/** docs/protocol.md, "5. Registration": Noise NK by two texts, and the certificate's signature over all of it. */

const H0 = ascii('smspay/1 X25519 Ed25519 ChaCha20 HMAC-SHA256 SIV');
const ACK = concat(ascii('smspay/1 ack'), u8(0));

/** What both sides derive: the first epoch's keys. */
export interface SessionKeys {
  th: Uint8Array;
  rk: Uint8Array;
  /** First chain key of the client's messages, and of the server's. */
  ckC: Uint8Array;
  ckS: Uint8Array;
}

/** h1: the protocol and the certificate. */
const certificateHash = (p: Primitives, h0: Uint8Array, { serial, dhPub, signPub }: Certificate) =>
  hash(p, h0, serial, dhPub, signPub);

const signed = (msisdn: bigint, h4: Uint8Array, serial: Uint8Array, body: Uint8Array) =>
  concat(ACK, u64(msisdn), h4, serial, body);

function sessionKeys(p: Primitives, ck2: Uint8Array, h5: Uint8Array): SessionKeys {
  const [ckC, ckS, rk] = keys(p, ck2, h5, ascii('session'), 3) as [Uint8Array, Uint8Array, Uint8Array];
  return { th: h5, rk, ckC, ckS };
}

// --- Client ----------------------------------------------------------------------------------------------------------------------------------

/** A HELLO on its way: what its answer is read with. Plain data, to be stored with the text in one commit. */
export interface SentHello {
  text: string;
  serial: Uint8Array;
  msisdn: bigint;
  /** ec. */
  secret: Uint8Array;
  h3: Uint8Array;
  ck1: Uint8Array;
}

/** Undefined: the certificate's DH key is of low order. `secret`: for tests. RangeError for a body that does not fit. */
export function sayHello(p: Primitives, certificate: Certificate, body: Hello, secret = p.random(32)): SentHello | undefined {
  const { serial, dhPub } = certificate;
  const h0 = p.sha256(H0);
  const ecPub = p.x25519.publicKey(secret);
  const shared = p.x25519.shared(secret, dhPub);
  if (!shared) return undefined;
  const h2 = hash(p, certificateHash(p, h0, certificate), ecPub);
  const [ck1, k1] = keys(p, h0, shared, ascii('hello'), 2) as [Uint8Array, Uint8Array];
  const box = seal(p, k1, h2, encodeHello(body), 16);
  const text = writeEnvelope('H', serial, ecPub, box);
  return { text, serial, msisdn: body.msisdn, secret, h3: hash(p, h2, box), ck1 };
}

export type AckRead =
  | { result: 'session'; keys: SessionKeys; ack: Ack }
  /** `not_ours`: it does not open, or its signature is not the certificate's. `other_number`: somebody registered our HELLO from another phone. */
  | { result: 'refused'; reason: 'not_ours' | 'other_number' | 'unreadable' };

/** `certificate`: the packaged one with HELLO's serial. */
export function readAck(p: Primitives, hello: SentHello, certificate: Certificate, { kind, bytes }: Envelope): AckRead {
  const notOurs = { result: 'refused', reason: 'not_ours' } as const;
  if (kind !== 'K' || !equal(certificate.serial, hello.serial)) return notOurs;
  const esPub = bytes.subarray(0, 32);
  const box = bytes.subarray(32);
  const shared = p.x25519.shared(hello.secret, esPub);
  if (!shared) return notOurs;
  const h4 = hash(p, hello.h3, esPub);
  const [ck2, k2] = keys(p, hello.ck1, shared, ascii('ack'), 2) as [Uint8Array, Uint8Array];
  const plain = open(p, k2, h4, box, 8);
  if (!plain) return notOurs;
  const serial = plain.subarray(0, 8);
  const signature = plain.subarray(8, 72);
  const body = plain.subarray(72);
  if (!equal(serial, hello.serial)) return notOurs;
  if (!p.ed25519.verify(certificate.signPub, signed(hello.msisdn, h4, serial, body), signature)) return notOurs;
  const ack = decodeAck(body);
  if (!ack) return { result: 'refused', reason: 'unreadable' };
  if (ack.msisdn !== hello.msisdn) return { result: 'refused', reason: 'other_number' };
  return { result: 'session', keys: sessionKeys(p, ck2, hash(p, h4, box)), ack };
}

// --- Server ----------------------------------------------------------------------------------------------------------------------------------

/** A HELLO that opened: what its answer is made with. */
export interface OpenedHello {
  result: 'hello';
  body: Hello;
  ecPub: Uint8Array;
  h3: Uint8Array;
  ck1: Uint8Array;
}
export type HelloRead =
  | OpenedHello
  /** All are met with silence. `other_number`: its number is not the sender's. */
  | { result: 'refused'; reason: 'not_ours' | 'other_number' | 'unreadable' };

/** The serial that a HELLO names, by which its certificate is found. */
export const serialOfHello = ({ bytes }: Envelope) => bytes.slice(0, 8);

/** `certificate`: the one that HELLO names; `from`: the number that the text came from. */
export async function openHello(
  p: Primitives,
  keysOfServer: Agree,
  certificate: Certificate,
  { kind, bytes }: Envelope,
  from: bigint,
): Promise<HelloRead> {
  const notOurs = { result: 'refused', reason: 'not_ours' } as const;
  if (kind !== 'H' || !equal(bytes.subarray(0, 8), certificate.serial)) return notOurs;
  const ecPub = bytes.slice(8, 40);
  const box = bytes.subarray(40);
  const shared = await keysOfServer.agree(certificate.serial, ecPub);
  if (!shared) return notOurs;
  const h0 = p.sha256(H0);
  const h2 = hash(p, certificateHash(p, h0, certificate), ecPub);
  const [ck1, k1] = keys(p, h0, shared, ascii('hello'), 2) as [Uint8Array, Uint8Array];
  const plain = open(p, k1, h2, box, 16);
  if (!plain) return notOurs;
  const body = decodeHello(plain);
  if (!body) return { result: 'refused', reason: 'unreadable' };
  if (body.msisdn !== from) return { result: 'refused', reason: 'other_number' };
  return { result: 'hello', body, ecPub, h3: hash(p, h2, box), ck1 };
}

/**
 * The HELLO-ACK, to be stored under the hash of its HELLO before it leaves; es is not kept. Undefined: the client's key is of low order, no answer.
 * `secret`: for tests. RangeError for a body that does not fit.
 */
export async function answerHello(
  p: Primitives,
  keysOfServer: Sign,
  certificate: Certificate,
  hello: OpenedHello,
  ack: Ack,
  secret = p.random(32),
): Promise<{ text: string; keys: SessionKeys } | undefined> {
  const { serial } = certificate;
  const shared = p.x25519.shared(secret, hello.ecPub);
  if (!shared) return undefined;
  const esPub = p.x25519.publicKey(secret);
  const h4 = hash(p, hello.h3, esPub);
  const [ck2, k2] = keys(p, hello.ck1, shared, ascii('ack'), 2) as [Uint8Array, Uint8Array];
  const body = encodeAck(ack);
  const signature = await keysOfServer.sign(serial, signed(hello.body.msisdn, h4, serial, body));
  const box = seal(p, k2, h4, concat(serial, signature, body), 8);
  return { text: writeEnvelope('K', esPub, box), keys: sessionKeys(p, ck2, hash(p, h4, box)) };
}
