import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { certificateOf as keysOf, p, ROOT, trustOf } from './parties.spec-helper.ts';
import {
  certificateForHello,
  certificateOf,
  mergeTrust,
  signAdd,
  signRevoke,
  type TrustAdd,
  type TrustList,
  type TrustRevoke,
  withAdded,
  withRevoked,
} from './trust.ts';

const first = keysOf(1, 0, 100).certificate;
const second = keysOf(2, 50, 200).certificate;
const third = keysOf(3, 150, 300).certificate;

const adding = ({ signPub, dhPub, fromDay, toDay }: typeof first, version: number) => {
  const add: TrustAdd = { version, signPub, dhPub, fromDay, toDay };
  return (list: TrustList) => withAdded(p, list, { ...add, rootSig: signAdd(p, ROOT, add) }) ?? list;
};
const revoking = ({ serial }: typeof first, version: number) => {
  const revoke: TrustRevoke = { version, serial };
  return (list: TrustList) => withRevoked(p, list, { ...revoke, rootSig: signRevoke(p, ROOT, revoke) }) ?? list;
};
const sorted = ({ certificates, revoked, ...list }: TrustList) => ({
  ...list,
  certificates: certificates.map(({ serial }) => serial.join()).sort(),
  revoked: revoked.map((serial) => serial.join()).sort(),
});

describe('a trust list', () => {
  it('is the same whatever the order of its updates, doubled ones too, and of an update of the app among them', () => {
    const updates = [adding(second, 2), adding(third, 3), revoking(first, 4), revoking(second, 5)];
    const packaged = { ...trustOf(first, second), version: 2, builtDay: 40 };
    const all = [...updates, (list: TrustList) => mergeTrust(list, packaged)];
    const whole = sorted(all.reduce((list, update) => update(list), trustOf(first)));
    expect(whole).toMatchObject({ version: 5, ahead: [], builtDay: 40, certificates: { length: 3 }, revoked: { length: 2 } });
    const order = fc.shuffledSubarray([...all, ...all], { minLength: 10 });
    fc.assert(
      fc.property(order, (some) => {
        expect(sorted(some.reduce((list, update) => update(list), trustOf(first)))).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it('tells the highest version below which none is missing', () => {
    const versions = [revoking(third, 5), revoking(third, 3), adding(second, 2), adding(second, 4)];
    let list = trustOf(first);
    const told = versions.map((update) => {
      list = update(list);
      return list.version;
    });
    expect(told).toEqual([1, 1, 3, 5]);
  });

  it('takes nothing that its root did not sign, nor a key that is none', () => {
    const list = trustOf(first);
    const add: TrustAdd = { version: 2, signPub: second.signPub, dhPub: second.dhPub, fromDay: 50, toDay: 200 };
    const rootSig = signAdd(p, ROOT, add);
    expect(withAdded(p, list, { ...add, rootSig })).toBeDefined();
    for (const changed of [
      { version: 3 },
      { fromDay: 0 },
      { toDay: 0xffff },
      { signPub: third.signPub },
      { dhPub: third.dhPub },
    ]) {
      expect(withAdded(p, list, { ...add, ...changed, rootSig })).toBeUndefined();
    }
    expect(withRevoked(p, list, { version: 2, serial: first.serial, rootSig })).toBeUndefined();
    const identity = new Uint8Array(32);
    identity[0] = 1;
    for (const bad of [
      { ...add, signPub: identity },
      { ...add, dhPub: identity },
      { ...add, dhPub: new Uint8Array(32) },
    ]) {
      expect(withAdded(p, list, { ...bad, rootSig: signAdd(p, ROOT, bad) })).toBeUndefined();
    }
    expect(mergeTrust(list, { ...trustOf(second), rootPub: third.signPub }).certificates).toEqual([second]);
  });

  it('counts to the last day of a certificate, and picks the newest that has begun for a HELLO', () => {
    const list = trustOf(first, second, third);
    expect(certificateOf(list, first.serial, 100)).toBe(first);
    expect(certificateOf(list, first.serial, 101)).toBe('expired');
    // fromDay refuses nothing.
    expect(certificateOf(list, third.serial, 0)).toBe(third);
    expect([0, 49, 50, 149, 150, 300].map((day) => certificateForHello(list, day))).toEqual([
      first,
      first,
      second,
      second,
      third,
      third,
    ]);
    expect(certificateForHello(trustOf(third), 0)).toBe(third);
    expect(certificateForHello(list, 301)).toBeUndefined();
    expect(certificateForHello({ ...list, revoked: [second.serial] }, 60)).toBe(first);
    expect(certificateOf({ ...list, revoked: [second.serial] }, second.serial, 60)).toBe('revoked');
  });
});
