import { createPrivateKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { serialOf } from './certificate.ts';
import { newKey, rawPublicKey } from './keys.ts';
import { signUpdate, type TrustChange, trustListOf, type TrustUpdate } from './trust-list.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');
const rootKey = newKey('ed25519');
const root = rawPublicKey(rootKey);

/** A change that adds a certificate of these keys. */
function adding(signPub = rawPublicKey(newKey('ed25519')), dhPub = rawPublicKey(newKey('x25519'))) {
  const serial = serialOf(signPub, dhPub);
  return {
    type: 'add',
    serial,
    signPub: signPub.toString('hex'),
    dhPub: dhPub.toString('hex'),
    fromDay: 20_787,
    toDay: 21_516,
  } as const;
}

/** Signed one after the other. */
const signed = (...changes: TrustChange[]) => changes.map((change, index) => signUpdate(change, index + 1, rootKey));

describe('an update', () => {
  // The root's seed of the protocol's test vectors, and what their TRUST_ADD and TRUST_REVOKE have behind `re`.
  const seed = '01ace770c285e7d417f406e6b652375efc7affe77086c8bbf52ae94b95cf0098';
  const ADD =
    '0002609651a6370fc92cdc09a221bfa306b523545388029f97142d13e7fb15040d770399dc49107129e058c449fa8b75e23ffa36282fcce7db675bc0b0d05937657851' +
    '2c5406136e33be5fb7989edf2b512fee1efd0aa5af3009ced7d997e074ee6589d639e35f2f098cea5b45be3d9abe0677f176d504d41832284b427fad4d7155483adc01';
  const REVOKE =
    '00037ab28a66c7bf107d5e8da9b56a2abd31d458b87434415799cbb5311d56dfb286e86e64ed217f1bb38bb21d74167ed6d996564619f9e62d52ceec9d5f66cf1601fa3e1cf5fb02de0d';

  it('is signed as in the test vectors', () => {
    const key = createPrivateKey({ key: bytes(`302e020100300506032b657004220420${seed}`), format: 'der', type: 'pkcs8' });
    const body = bytes(ADD);
    const [signPub, dhPub] = [body.subarray(2, 34), body.subarray(34, 66)];
    const days = { fromDay: body.readUInt16BE(66), toDay: body.readUInt16BE(68) };
    const add = signUpdate({ ...adding(signPub, dhPub), ...days }, 2, key);
    expect(add.rootSig).toBe(body.subarray(70).toString('hex'));
    expect(add.signed).toBe(Buffer.from('smspay/1 trust add\0').toString('hex') + body.subarray(0, 70).toString('hex'));
    const revoke = signUpdate({ type: 'revoke', serial: REVOKE.slice(4, 20) }, 3, key);
    expect(revoke.rootSig).toBe(REVOKE.slice(20));
    expect(revoke.signed).toBe(Buffer.from('smspay/1 trust revoke\0').toString('hex') + REVOKE.slice(0, 20));
  });
});

describe('the trust list', () => {
  it('is what all updates make of it', () => {
    const [one, two] = [adding(), adding()];
    const { type: _, ...certificate } = one;
    const { type: __, ...other } = two;
    expect(trustListOf(root, [])).toEqual({ version: 0, root: root.toString('hex'), certificates: [] });
    expect(trustListOf(root, signed(one, two, { type: 'revoke', serial: one.serial }))).toEqual({
      version: 3,
      root: root.toString('hex'),
      certificates: [
        { ...certificate, revoked: true },
        { ...other, revoked: false },
      ],
    });
  });

  const one = adding();
  const revoke = { type: 'revoke', serial: one.serial } as const;
  const forged = (change: Partial<TrustUpdate>) => [{ ...signed(one)[0], ...change } as TrustUpdate];
  it.each<[string, TrustUpdate[], string]>([
    ['one is missing', [signUpdate(one, 2, rootKey)], 'update 2: must be update 1'],
    ['another root signed', [signUpdate(one, 1, newKey('ed25519'))], 'update 1: was not signed by this root'],
    ['something was changed', forged({ toDay: 30_000 }), 'update 1: "signed" is not what the rest says'],
    [
      'all but the signature was changed',
      [{ ...signUpdate({ ...one, toDay: 3 }, 1, rootKey), rootSig: signed(one)[0]?.rootSig ?? '' }],
      'was not signed',
    ],
    ['a certificate comes twice', signed(one, one), `update 2: ${one.serial} is in the list already`],
    ['one comes back that was revoked', signed(one, revoke, one), `update 3: ${one.serial} is in the list already`],
    ['one is revoked twice', signed(one, revoke, revoke), `update 3: ${one.serial} is revoked already`],
    ['one is revoked that is none', signed(revoke), `update 1: ${one.serial} is not in the list`],
    ['its serial number is not by its keys', signed({ ...one, serial: '4000000000000001' }), 'the serial number must be'],
    ['it ends before it begins', signed({ ...one, toDay: 1 }), 'the last day is before the first'],
    [
      'it has a key of small order',
      signed(adding(Buffer.from('01'.padEnd(64, '0'), 'hex'))),
      'update 1: the Ed25519 key has a small order',
    ],
    ['its second key has one', signed(adding(undefined, Buffer.alloc(32))), 'update 1: the X25519 key has a small order'],
  ])('is refused where %s', (_, updates, why) => {
    expect(() => trustListOf(root, updates)).toThrow(why);
  });

  it('is refused under a root of small order, which signs anything', () => {
    expect(() => trustListOf(Buffer.from('01'.padEnd(64, '0'), 'hex'), [])).toThrow('small order');
  });
});
