import 'reflect-metadata';
import { type KeyObject, type webcrypto, X509Certificate } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { serialOf as serialOfKeys, toHex } from '#libs/sms-protocol';
import { node } from '#libs/sms-protocol/node';
import { DAY_MS, dateOf, dayOf, type Days } from './days.ts';
import { mustBeStrongAgreer, mustBeStrongSigner, newKey, pemOf, rawPublicKey, readKey } from './keys.ts';
import { CertificateProblem } from './problem.ts';

/**
 * The extension that holds the server's X25519 key, 32 bytes in an OCTET STRING; not critical. The number is X25519's own (RFC 8410), which
 * names no other extension.
 */
export const DH_KEY_OID = '1.3.101.110';
/** An OCTET STRING of 32 bytes. */
const DH_KEY_HEAD = Buffer.from([0x04, 0x20]);

const ED25519 = { name: 'Ed25519' };

/** What a server's certificate says; the bytes are hex. */
export interface ServerCertificate extends Days {
  /** 8 octets that follow from the two keys (`serialOf`). */
  serial: string;
  /** Ed25519. */
  signPub: string;
  /** X25519. */
  dhPub: string;
}

/** The root, PEM: its certificate, and its private key where that is at hand. */
export interface Root {
  certificate: string;
  key: string;
}

/** A server's certificate and its two private keys, PEM. */
export interface IssuedCertificate {
  serial: string;
  certificate: string;
  signKey: string;
  dhKey: string;
}

/** The serial number of these two keys, hex (docs/protocol.md, "3. Certificates and the trust list"). */
export function serialOf(signPub: Uint8Array, dhPub: Uint8Array): string {
  return toHex(serialOfKeys(node, signPub, dhPub));
}

/** A new root: it signs certificates of servers, and no other CA. */
export async function makeRoot(name: string, days: Days): Promise<Root> {
  const key = newKey('ed25519');
  const publicKey = await verifierOf(rawPublicKey(key));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys: { privateKey: await signerOf(key), publicKey },
    signingAlgorithm: ED25519,
    ...momentsOf(days),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificate: pemText(certificate), key: pemOf(key) };
}

/** A new certificate of a server, with new keys. Throws a `CertificateProblem` if the root is none, or is not valid on all of these days. */
export async function issueCertificate(root: Root, days: Days): Promise<IssuedCertificate> {
  const { days: rootDays, signPub: rootPub } = readRoot(root.certificate);
  const rootKey = readKey(root.key, 'ed25519');
  if (!rawPublicKey(rootKey).equals(rootPub)) throw new CertificateProblem("the root's key is not the one of its certificate");
  if (days.fromDay > days.toDay) throw new CertificateProblem('the last day is before the first');
  if (days.fromDay < rootDays.fromDay || days.toDay > rootDays.toDay)
    throw new CertificateProblem(
      `from ${dateOf(days.fromDay)} to ${dateOf(days.toDay)} is not within the root's days, ` +
        `${dateOf(rootDays.fromDay)} to ${dateOf(rootDays.toDay)}`,
    );
  const [signKey, dhKey] = [newKey('ed25519'), newKey('x25519')];
  const [signPub, dhPub] = [rawPublicKey(signKey), rawPublicKey(dhKey)];
  const serial = serialOf(signPub, dhPub);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject: 'CN=smspay server',
    issuer: new Certificate(root.certificate).subjectName,
    publicKey: await verifierOf(signPub),
    signingKey: await signerOf(rootKey),
    signingAlgorithm: ED25519,
    ...momentsOf(days),
    extensions: [
      await AuthorityKeyIdentifierExtension.create(await verifierOf(rootPub)),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new Extension(DH_KEY_OID, false, Buffer.concat([DH_KEY_HEAD, dhPub])),
    ],
  });
  return { serial, certificate: pemText(certificate), signKey: pemOf(signKey), dhKey: pemOf(dhKey) };
}

/** What a root's certificate says. Throws a `CertificateProblem` unless it is one as `makeRoot` makes them. */
export function readRoot(pem: string): { signPub: Buffer; days: Days } {
  const { x509, parsed, signPub } = read(pem);
  const constraints = parsed.getExtension(BasicConstraintsExtension);
  if (!x509.ca || constraints?.pathLength !== 0) throw new CertificateProblem('must be a CA that signs no other CA');
  if (usagesOf(parsed) !== (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign))
    throw new CertificateProblem('its key must be for certificates and revocations, and nothing else');
  if (!x509.verify(x509.publicKey)) throw new CertificateProblem('must be signed by itself');
  return { signPub, days: daysOf(parsed) };
}

/** What a server's certificate says. Throws a `CertificateProblem` unless `root` signed it and it keeps every rule of `issueCertificate`. */
export function readCertificate(pem: string, root: string): ServerCertificate {
  const { x509, parsed, signPub } = read(pem);
  if (!x509.verify(new X509Certificate(root).publicKey)) throw new CertificateProblem('was not signed by this root');
  if (x509.ca) throw new CertificateProblem('is one of a CA, not of a server');
  if (usagesOf(parsed) !== KeyUsageFlags.digitalSignature)
    throw new CertificateProblem('its key must be for signatures, and nothing else');
  const value = Buffer.from(parsed.getExtension(DH_KEY_OID)?.value ?? new ArrayBuffer(0));
  if (value.length !== DH_KEY_HEAD.length + 32 || !value.subarray(0, 2).equals(DH_KEY_HEAD))
    throw new CertificateProblem(`has no X25519 key in its extension ${DH_KEY_OID}`);
  const dhPub = value.subarray(DH_KEY_HEAD.length);
  mustBeStrongAgreer(dhPub);
  const serial = serialOf(signPub, dhPub);
  if (parsed.serialNumber !== serial)
    throw new CertificateProblem(`its serial number must be ${serial}, by its keys, is ${parsed.serialNumber}`);
  return { serial, signPub: signPub.toString('hex'), dhPub: dhPub.toString('hex'), ...daysOf(parsed) };
}

/** What both kinds have in common: read by Node, whose OpenSSL checks signatures, and by the library, which shows the extensions. */
function read(pem: string): { x509: X509Certificate; parsed: Certificate; signPub: Buffer } {
  let [x509, parsed]: [X509Certificate?, Certificate?] = [];
  try {
    [x509, parsed] = [new X509Certificate(pem), new Certificate(pem)];
  } catch {
    throw new CertificateProblem('is no X.509 certificate in PEM');
  }
  if (x509.publicKey.asymmetricKeyType !== 'ed25519') throw new CertificateProblem('its key must be an Ed25519 key');
  const signPub = rawPublicKey(x509.publicKey);
  mustBeStrongSigner(signPub);
  return { x509, parsed, signPub };
}

function usagesOf(certificate: Certificate): KeyUsageFlags | undefined {
  const extension = certificate.getExtension(KeyUsagesExtension);
  return extension?.critical ? extension.usages : undefined;
}

function daysOf({ notBefore, notAfter }: Certificate): Days {
  return { fromDay: dayOf(notBefore), toDay: dayOf(notAfter) };
}

/** X.509 counts both ends in, to the second. */
function momentsOf({ fromDay, toDay }: Days) {
  return { notBefore: new Date(fromDay * DAY_MS), notAfter: new Date((toDay + 1) * DAY_MS - 1_000) };
}

function pemText(certificate: Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

function signerOf(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return crypto.subtle.importKey('pkcs8', new Uint8Array(der), ED25519, false, ['sign']);
}

function verifierOf(signPub: Uint8Array): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey('raw', new Uint8Array(signPub), ED25519, true, ['verify']);
}
