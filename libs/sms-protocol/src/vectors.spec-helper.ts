import { readFileSync } from 'node:fs';
import { fromHex } from './bytes.ts';

/** Bytes of a test's hexadecimal text. */
export function bytes(hex: string): Uint8Array {
  const found = fromHex(hex);
  if (!found) throw new Error(`not hexadecimal: ${hex}`);
  return found;
}

export const VECTORS = new URL('../vectors/', import.meta.url);

interface Message {
  name: string;
  dir: 'C>S' | 'S>C';
  /** Without padding. */
  body: string;
  text: string;
  segments: number;
  counter?: number;
  signature?: string;
}

type Hex<K extends string> = Record<K, string>;

/** The vectors of docs/protocol.md, as two other implementations made them. */
export const vectors = JSON.parse(readFileSync(new URL('protocol-vectors.json', VECTORS), 'utf8')) as {
  messages: Message[];
  secrets: Hex<'ec' | 'es' | 'serverSign' | 'serverDh' | 'rootSign'>;
  certificate: Hex<'serial' | 'signPub' | 'dhPub'>;
  msisdn: string;
  handshake: Hex<'ecPub' | 'esPub' | 'ck1' | 'h3' | 'th' | 'rk' | 'ckC2S' | 'ckS2C'>;
  rekey: Hex<'th' | 'rk' | 'ckC2S' | 'ckS2C'>;
  base62: Hex<'hex' | 'text'>[];
  seal: (Hex<'key' | 'aad' | 'plain' | 'box'> & { t: 8 | 16 })[];
  chain: Hex<'ck' | 'mk' | 'next'>;
};

export const secrets = {
  ec: bytes(vectors.secrets.ec),
  es: bytes(vectors.secrets.es),
  sign: bytes(vectors.secrets.serverSign),
  dh: bytes(vectors.secrets.serverDh),
  root: bytes(vectors.secrets.rootSign),
};

export const certificate = {
  serial: bytes(vectors.certificate.serial),
  signPub: bytes(vectors.certificate.signPub),
  dhPub: bytes(vectors.certificate.dhPub),
  fromDay: 0,
  toDay: 0xffff,
};
