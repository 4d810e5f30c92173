import 'reflect-metadata';
import { createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ed25519 } from '@noble/curves/ed25519.js';
import { Extension, KeyUsageFlags, KeyUsagesExtension, X509CertificateGenerator } from '@peculiar/x509';
import { DH_KEY_OID, issueCertificate, makeRoot, readCertificate, readRoot, type Root, serialOf } from './certificate.ts';
import { dateOf, parseDay } from './days.ts';
import { mustBeStrongAgreer, mustBeStrongSigner, newKey, rawPublicKey } from './keys.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');
const fromDay = parseDay('2026-11-30');
const days = { fromDay, toDay: fromDay + 729 };

/** The points whose order divides 8: the multiples of one of order 8. */
const ORDER_8 = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
const SMALL_ORDER = Array.from({ length: 8 }, (_, n) => ORDER_8.multiplyUnsafe(BigInt(n)).toHex());

describe('a certificate', () => {
  let root: Root;
  beforeAll(async () => {
    root = await makeRoot('smspay root', { fromDay, toDay: parseDay('2046-11-30') });
  });

  it('is read as it was issued', async () => {
    const { serial, certificate, signKey, dhKey } = await issueCertificate(root, days);
    const [signPub, dhPub] = [signKey, dhKey].map((pem) => rawPublicKey(createPrivateKey(pem)).toString('hex'));
    expect(readCertificate(certificate, root.certificate)).toEqual({ serial, signPub, dhPub, ...days });
    expect(readRoot(root.certificate).days).toEqual({ fromDay, toDay: parseDay('2046-11-30') });
  });

  it('has the serial number of the vectors for their keys, positive and never short', async () => {
    const signPub = bytes('c47160a7dd24d0515f5b300fd9c850c18c8665310464417e75648d3fc138db20');
    const dhPub = bytes('ed6cef7f4d2a1a801c44648ead2908b2ebaa77c93226212e225106146ed47001');
    expect(serialOf(signPub, dhPub)).toBe('7ab28a66c7bf107d');
    for (let n = 0; n < 50; n++) expect(serialOf(bytes(`${n}`), dhPub)).toMatch(/^[4-7][0-9a-f]{15}$/);
  });

  it('is valid only within the days of its root', async () => {
    await expect(issueCertificate(root, { fromDay: fromDay - 1, toDay: fromDay + 9 })).rejects.toThrow(
      "from 2026-11-29 to 2026-12-09 is not within the root's days, 2026-11-30 to 2046-11-30",
    );
    await expect(issueCertificate(root, { fromDay, toDay: parseDay('2046-12-01') })).rejects.toThrow(
      "not within the root's days",
    );
    await expect(issueCertificate(root, { fromDay, toDay: fromDay - 1 })).rejects.toThrow('the last day is before the first');
  });

  it('comes from the root that is asked for', async () => {
    const foreign = await makeRoot('smspay root', { fromDay, toDay: parseDay('2046-11-30') });
    const { certificate } = await issueCertificate(foreign, days);
    expect(() => readCertificate(certificate, root.certificate)).toThrow('was not signed by this root');
    expect(() => readCertificate(root.certificate, root.certificate)).toThrow('is one of a CA');
    expect(() => readRoot(certificate)).toThrow('must be a CA that signs no other CA');
    await expect(issueCertificate({ ...root, key: foreign.key }, days)).rejects.toThrow('not the one of its certificate');
  });

  describe('that the root signed, but not by the rules,', () => {
    const ED25519 = { name: 'Ed25519' };
    const signPub = rawPublicKey(newKey('ed25519'));
    const goodDh = rawPublicKey(newKey('x25519'));
    const dhKey = (dhPub: Buffer) => new Extension(DH_KEY_OID, false, Buffer.concat([bytes('0420'), dhPub]));
    const signs = new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true);

    async function issue(serialNumber: string, extensions: Extension[], publicKey = signPub) {
      const signingKey = await crypto.subtle.importKey(
        'pkcs8',
        new Uint8Array(createPrivateKey(root.key).export({ type: 'pkcs8', format: 'der' })),
        ED25519,
        false,
        ['sign'],
      );
      const certificate = await X509CertificateGenerator.create({
        serialNumber,
        subject: 'CN=server',
        issuer: 'CN=smspay root',
        publicKey: await crypto.subtle.importKey('raw', new Uint8Array(publicKey), ED25519, true, ['verify']),
        signingKey,
        signingAlgorithm: ED25519,
        extensions,
      });
      return certificate.toString('pem');
    }

    it.each<[string, string, string, Extension[]]>([
      ['with another serial number', '4000000000000001', 'its serial number must be', [signs, dhKey(goodDh)]],
      ['without the second key', '4000000000000001', 'has no X25519 key', [signs]],
      ['with a short second key', '4000000000000001', 'has no X25519 key', [signs, dhKey(goodDh.subarray(1))]],
      [
        'that may sign others',
        '4000000000000001',
        'must be for signatures',
        [new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, true), dhKey(goodDh)],
      ],
      ['whose second key is weak', '4000000000000001', 'X25519 key has a small order', [signs, dhKey(Buffer.alloc(32))]],
    ])('is refused: one %s', async (_, serial, why, extensions) => {
      const certificate = await issue(serial, extensions);
      expect(() => readCertificate(certificate, root.certificate)).toThrow(why);
    });

    it('is refused: one whose key has a small order', async () => {
      const certificate = await issue(
        serialOf(bytes(SMALL_ORDER[1] ?? ''), goodDh),
        [signs, dhKey(goodDh)],
        bytes(SMALL_ORDER[1] ?? ''),
      );
      expect(() => readCertificate(certificate, root.certificate)).toThrow('the Ed25519 key has a small order');
    });
  });

  it('is none: another text is refused', () => {
    expect(() => readCertificate('nonsense', root.certificate)).toThrow('is no X.509 certificate in PEM');
  });
});

describe('a signing key', () => {
  it('is taken if it is of prime order', () => {
    for (let n = 0; n < 5; n++) expect(() => mustBeStrongSigner(rawPublicKey(newKey('ed25519')))).not.toThrow();
  });

  it('is refused at each of the eight points of small order', () => {
    expect(new Set(SMALL_ORDER).size).toBe(8);
    for (const point of SMALL_ORDER) expect(() => mustBeStrongSigner(bytes(point))).toThrow('small order');
  });

  it('is refused with a torsion component, and where it is no canonical point', () => {
    const torsioned = ed25519.Point.BASE.multiply(5n).add(ORDER_8).toBytes();
    expect(() => mustBeStrongSigner(torsioned)).toThrow('torsion component');
    const identityPlusP = bytes(`ee${'ff'.repeat(30)}7f`);
    for (const none of [identityPlusP, bytes('02'.padEnd(64, '0')), bytes('01')])
      expect(() => mustBeStrongSigner(none)).toThrow('is no point of the curve');
  });
});

describe('a key to agree with', () => {
  it('is refused where every secret would be zero', () => {
    // The u-coordinates of order 1, 2, 4 and 8 of the curve and its twist (RFC 7748's authors list them), p and p + 1 among them.
    const weak = [
      '0'.repeat(64),
      '01'.padEnd(64, '0'),
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
    ];
    for (const key of weak) expect(() => mustBeStrongAgreer(bytes(key))).toThrow('small order');
    expect(() => mustBeStrongAgreer(rawPublicKey(newKey('x25519')))).not.toThrow();
  });
});

describe('a day', () => {
  it('is counted from 1970', () => {
    expect([parseDay('1970-01-01'), parseDay('1970-01-02'), parseDay('2149-06-06')]).toEqual([0, 1, 65_535]);
    expect(dateOf(parseDay('2026-11-30'))).toBe('2026-11-30');
  });

  it.each(['2026-02-30', '30.11.2026', '2149-06-07', '1969-12-31', '2026-1-1', ''])('is not %j', (text) => {
    expect(() => parseDay(text)).toThrow('must be a day from 1970-01-01 to 2149-06-06');
  });
});
