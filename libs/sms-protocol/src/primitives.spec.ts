import { describe, expect, it } from '@jest/globals';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { concat, toHex } from './bytes.ts';
import { noble } from './noble.ts';
import { node } from './node.ts';
import { bytes } from './vectors.spec-helper.ts';

const { Point } = ed25519;
const L = Point.Fn.ORDER;
const P = Point.Fp.ORDER;

const littleEndian = (value: bigint, length = 32) =>
  Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
const fromLittleEndian = (from: Uint8Array) => from.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
const modL = (value: bigint) => ((value % L) + L) % L;

/** The same answer of both. */
function verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const answer = noble.ed25519.verify(key, message, signature);
  expect(node.ed25519.verify(key, message, signature)).toBe(answer);
  return answer;
}
function isKey(key: Uint8Array): boolean {
  const answer = noble.ed25519.isKey(key);
  expect(node.ed25519.isKey(key)).toBe(answer);
  return answer;
}

/** The eight points of small order, from one of order 8. */
const ORDER_8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
const SMALL = Array.from({ length: 8 }, (_, i) => (i === 0 ? Point.ZERO : ORDER_8.multiplyUnsafe(BigInt(i))));

const MESSAGE = bytes('616263');
const SECRET = noble.sha256(bytes('01'));
const KEY = noble.ed25519.publicKey(SECRET);
const SIGNATURE = noble.ed25519.sign(SECRET, MESSAGE);

/** The secret scalar of a key, as RFC 8032 makes it. */
function scalarOf(secret: Uint8Array): bigint {
  const half = sha512(secret).slice(0, 32);
  half[0] = (half[0] ?? 0) & 248;
  half[31] = ((half[31] ?? 0) & 127) | 64;
  return fromLittleEndian(half);
}

/** A signature by whoever knows the scalar `a` and may choose R and the key: S = r + H(R ‖ A ‖ M)·a. */
function signFreely(a: bigint, key: Uint8Array, r: bigint, R: Uint8Array, message: Uint8Array): Uint8Array {
  const k = modL(fromLittleEndian(sha512(concat(R, key, message))));
  return concat(R, littleEndian(modL(r + k * a)));
}

describe('Ed25519, the same with both', () => {
  it.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
    [
      '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
      'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
    ],
  ])('RFC 8032, section 7.1: %s', (secret, key, message, signature) => {
    for (const p of [noble, node]) {
      expect(toHex(p.ed25519.publicKey(bytes(secret)))).toBe(key);
      expect(toHex(p.ed25519.sign(bytes(secret), bytes(message)))).toBe(signature);
    }
    expect(verify(bytes(key), bytes(message), bytes(signature))).toBe(true);
    expect(verify(bytes(key), concat(bytes(message), bytes('00')), bytes(signature))).toBe(false);
  });

  it('S of L and more is refused', () => {
    const s = fromLittleEndian(SIGNATURE.slice(32));
    for (const more of [L, 2n * L, 7n * L]) {
      expect(verify(KEY, MESSAGE, concat(SIGNATURE.slice(0, 32), littleEndian(s + more)))).toBe(false);
    }
    expect(verify(KEY, MESSAGE, SIGNATURE)).toBe(true);
  });

  it('the eight points of small order are refused as a key', () => {
    expect(new Set(SMALL.map((point) => point.toHex())).size).toBe(8);
    for (const point of SMALL) {
      const key = point.toBytes();
      expect(isKey(key)).toBe(false);
      // Such a signature holds for a verifier with the cofactor: S·B = R + k·A, with A of small order.
      for (const r of [0n, 5n]) {
        const R = r === 0n ? Point.ZERO : Point.BASE.multiply(r);
        expect(verify(key, MESSAGE, concat(R.toBytes(), littleEndian(r)))).toBe(false);
      }
    }
  });

  it('and as R, the identity too, which OpenSSL 3.5 refuses and RFC 8032 does not', () => {
    const a = scalarOf(SECRET);
    for (const point of SMALL) {
      const signature = signFreely(a, KEY, 0n, point.toBytes(), MESSAGE);
      expect(verify(KEY, MESSAGE, signature)).toBe(false);
    }
  });

  it('a torsion component in the key or in R is refused', () => {
    const a = scalarOf(SECRET);
    const r = 12345n;
    for (const torsion of SMALL.slice(1)) {
      const key = Point.fromBytes(KEY).add(torsion).toBytes();
      expect(isKey(key)).toBe(false);
      for (let n = 0; n < 8; n++) {
        // Of eight messages k is a multiple of 8 in one or so: there even a verifier without the cofactor would take it.
        const message = bytes(`0${n}`);
        expect(verify(key, message, signFreely(a, key, r, Point.BASE.multiply(r).toBytes(), message))).toBe(false);
      }
      const R = Point.BASE.multiply(r).add(torsion).toBytes();
      expect(verify(KEY, MESSAGE, signFreely(a, KEY, r, R, MESSAGE))).toBe(false);
    }
    expect(verify(KEY, MESSAGE, signFreely(a, KEY, r, Point.BASE.multiply(r).toBytes(), MESSAGE))).toBe(true);
  });

  it('points that are not canonical are refused', () => {
    // y of P and more, with both signs, and x = 0 with the sign set.
    const values = [0n, 1n, 2n, 3n, 18n].map((y) => y + P).concat([1n, P - 1n].map((y) => y | (1n << 255n)));
    for (const value of values.concat(values.map((each) => each | (1n << 255n)))) {
      const point = littleEndian(value);
      expect(isKey(point)).toBe(false);
      expect(verify(point, MESSAGE, SIGNATURE)).toBe(false);
      expect(verify(KEY, MESSAGE, signFreely(scalarOf(SECRET), KEY, 0n, point, MESSAGE))).toBe(false);
    }
  });

  it('anything else is refused without a throw', () => {
    const some = fc.uint8Array({ minLength: 0, maxLength: 70 });
    fc.assert(
      fc.property(some, some, some, (key, message, signature) => {
        expect(verify(key, message, signature)).toBe(false);
        expect(verify(KEY, message, signature)).toBe(false);
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 511 }), (bit) => {
        const signature = SIGNATURE.slice();
        signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verify(KEY, MESSAGE, signature)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('X25519, the same with both', () => {
  it('RFC 7748, section 5.2, and any key', () => {
    const scalar = bytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const u = bytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    const shared = 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552';
    for (const p of [noble, node]) expect(toHex(p.x25519.shared(scalar, u) ?? u)).toBe(shared);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (own, key) => {
          expect(node.x25519.publicKey(own)).toEqual(noble.x25519.publicKey(own));
          expect(node.x25519.shared(own, key)).toEqual(noble.x25519.shared(own, key));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('a result of zero is refused, and what is no key', () => {
    const low = [
      0n,
      1n,
      325606250916557431795983626356110631294008115727848805560023387167927233504n,
      39382357235489614581723060781553021112529911719440698176882885853963445705823n,
      P - 1n,
      P,
      P + 1n,
    ];
    for (const value of low.concat(low.map((u) => u | (1n << 255n)))) {
      for (const p of [noble, node]) expect(p.x25519.shared(SECRET, littleEndian(value))).toBeUndefined();
    }
    for (const p of [noble, node]) {
      expect(p.x25519.shared(SECRET, new Uint8Array(31))).toBeUndefined();
      expect(p.x25519.shared(SECRET, new Uint8Array(33).fill(9))).toBeUndefined();
    }
  });
});

describe('the others, the same with both', () => {
  it('SHA-256, HMAC and ChaCha20', () => {
    const some = fc.uint8Array({ maxLength: 300 });
    const of = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(some, of(32), of(12), (data, key, nonce) => {
        expect(node.sha256(data)).toEqual(noble.sha256(data));
        expect(node.hmac(key, data)).toEqual(noble.hmac(key, data));
        expect(node.chacha20(key, nonce, data)).toEqual(noble.chacha20(key, nonce, data));
      }),
      { numRuns: 100 },
    );
    for (const p of [noble, node]) expect(p.random(32)).not.toEqual(p.random(32));
  });
});
