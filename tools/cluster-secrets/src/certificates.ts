import 'reflect-metadata';
import { type webcrypto, X509Certificate } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate as Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its private key, PEM. */
export interface Certified {
  certificate: string;
  key: string;
}

const KEYS = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const AUTHORITY_YEARS = 20;
const SERVER_YEARS = 5;
/** Clocks of nodes differ: valid a little before it was made. */
const CLOCKS_MS = 3_600_000;

/** A CA that signs servers and no other CA. */
export async function makeAuthority(name: string): Promise<Certified> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: KEYS,
    ...validFor(AUTHORITY_YEARS),
    extensions: [new BasicConstraintsExtension(true, 0, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)],
  });
  return { certificate: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

/** A certificate for the servers of these names, as servers and, to each other, as clients. */
export async function makeServer(authority: Certified, names: readonly string[], now = Date.now()): Promise<Certified> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${names[0]}`,
    issuer: new Certificate(authority.certificate).subject,
    publicKey: keys.publicKey,
    signingKey: await crypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(authority.key), KEYS, false, ['sign']),
    signingAlgorithm: KEYS,
    ...validFor(SERVER_YEARS, now),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

/** Whether a server's certificate should be made again: less than half of its time is left, or another CA signed it. */
export function isDue(certificate: string, authority: string, now = Date.now()): boolean {
  const server = new X509Certificate(certificate);
  const half = (Date.parse(server.validFrom) + Date.parse(server.validTo)) / 2;
  return now > half || !server.verify(new X509Certificate(authority).publicKey);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(KEYS, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function validFor(years: number, now = Date.now()) {
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + years);
  return { notBefore: new Date(now - CLOCKS_MS), notAfter };
}
