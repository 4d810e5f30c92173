import { ascii, concat, equal, toHex, u16, u8 } from './bytes.ts';
import type { Primitives } from './primitives.ts';

/**
 * Which certificates a client trusts: docs/protocol.md, "3. Certificates and the trust list" and "11. Certificate rotation and revocation".
 * Days count from 1970-01-01.
 */

export interface Certificate {
  serial: Uint8Array;
  signPub: Uint8Array;
  dhPub: Uint8Array;
  /** Only picks the certificate of a new HELLO. */
  fromDay: number;
  /** The last day on which it counts. */
  toDay: number;
}

/** As it is packaged in an app at build time, and as it is stored with the updates that came since. */
export interface TrustList {
  /** No update up to here is missing. */
  version: number;
  /** Updates that came before one with a lower version. */
  ahead: number[];
  rootPub: Uint8Array;
  /** The day on which the app was built. */
  builtDay: number;
  certificates: Certificate[];
  /** Serials, of certificates that came or are still to come. For ever. */
  revoked: Uint8Array[];
}

/** The serial of a certificate with these keys: 8 bytes, positive in ASN.1. */
export function serialOf(p: Primitives, signPub: Uint8Array, dhPub: Uint8Array): Uint8Array {
  const serial = p.sha256(concat(signPub, dhPub)).slice(0, 8);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** Why a certificate does not count. */
export type Distrust = 'unknown_certificate' | 'revoked' | 'expired';

export const isRevoked = (list: TrustList, serial: Uint8Array) => list.revoked.some((each) => equal(each, serial));

/** The certificate of `serial`, if it counts on `day`, which is never told by the phone's clock. */
export function certificateOf(list: TrustList, serial: Uint8Array, day: number): Certificate | Distrust {
  if (isRevoked(list, serial)) return 'revoked';
  const certificate = list.certificates.find((each) => equal(each.serial, serial));
  if (!certificate) return 'unknown_certificate';
  return certificate.toDay < day ? 'expired' : certificate;
}

/** The certificate for a new HELLO: of those that count the newest that has begun, else the first to begin. Undefined: the app needs an update. */
export function certificateForHello(list: TrustList, day: number): Certificate | undefined {
  const counting = list.certificates.filter((each) => each.toDay >= day && !isRevoked(list, each.serial));
  const begun = counting.filter((each) => each.fromDay <= day).sort((a, b) => b.fromDay - a.fromDay);
  return begun[0] ?? counting.sort((a, b) => a.fromDay - b.fromDay)[0];
}

/** Day of a Unix time. */
export const dayOf = (seconds: number) => Math.floor(seconds / 86_400);

/** What the root signs. */
export interface TrustAdd {
  version: number;
  signPub: Uint8Array;
  dhPub: Uint8Array;
  fromDay: number;
  toDay: number;
}
export interface TrustRevoke {
  version: number;
  serial: Uint8Array;
}

/** The bytes under the root's signature of TRUST_ADD. */
export const addBytes = (add: TrustAdd) =>
  concat(ascii('smspay/1 trust add'), u8(0), u16(add.version), add.signPub, add.dhPub, u16(add.fromDay), u16(add.toDay));
/** The bytes under the root's signature of TRUST_REVOKE. */
export const revokeBytes = (revoke: TrustRevoke) =>
  concat(ascii('smspay/1 trust revoke'), u8(0), u16(revoke.version), revoke.serial);

/** The root's signature of TRUST_ADD. */
export const signAdd = (p: Primitives, rootSecret: Uint8Array, add: TrustAdd) => p.ed25519.sign(rootSecret, addBytes(add));
/** The root's signature of TRUST_REVOKE. */
export const signRevoke = (p: Primitives, rootSecret: Uint8Array, revoke: TrustRevoke) =>
  p.ed25519.sign(rootSecret, revokeBytes(revoke));

/** Whether keys may stand in a trust list: neither of low order, the signing key without torsion. */
export const areKeys = (p: Primitives, signPub: Uint8Array, dhPub: Uint8Array) =>
  p.ed25519.isKey(signPub) && p.x25519.shared(LOW_ORDER_PROBE, dhPub) !== undefined;
/** Any secret gives zero with a key of low order, and with no other. */
const LOW_ORDER_PROBE = new Uint8Array(32).fill(7);

/** The list with a TRUST_ADD; undefined if the root did not sign it or its keys are none. Whatever the order in which updates come. */
export function withAdded(p: Primitives, list: TrustList, add: TrustAdd & { rootSig: Uint8Array }): TrustList | undefined {
  if (!p.ed25519.verify(list.rootPub, addBytes(add), add.rootSig) || !areKeys(p, add.signPub, add.dhPub)) return undefined;
  const { signPub, dhPub, fromDay, toDay } = add;
  const serial = serialOf(p, signPub, dhPub);
  return took({ ...list, certificates: union(list.certificates, [{ serial, signPub, dhPub, fromDay, toDay }]) }, add.version);
}

/** The list with a TRUST_REVOKE, of an unknown serial too; undefined if the root did not sign it. */
export function withRevoked(
  p: Primitives,
  list: TrustList,
  revoke: TrustRevoke & { rootSig: Uint8Array },
): TrustList | undefined {
  if (!p.ed25519.verify(list.rootPub, revokeBytes(revoke), revoke.rootSig)) return undefined;
  const revoked = isRevoked(list, revoke.serial) ? list.revoked : [...list.revoked, revoke.serial];
  return took({ ...list, revoked }, revoke.version);
}

/** What is stored, with what a new build of the app brings. A list of another root is replaced. */
export function mergeTrust(stored: TrustList, packaged: TrustList): TrustList {
  if (!equal(stored.rootPub, packaged.rootPub)) return packaged;
  const merged = {
    ...packaged,
    version: Math.max(stored.version, packaged.version),
    builtDay: Math.max(stored.builtDay, packaged.builtDay),
    // What the newer of both says of a certificate counts.
    certificates: union(packaged.certificates, stored.certificates),
    revoked: stored.revoked.concat(packaged.revoked.filter((serial) => !isRevoked(stored, serial))),
  };
  return [...stored.ahead, ...packaged.ahead].reduce(took, { ...merged, ahead: [] });
}

function union(first: Certificate[], second: Certificate[]): Certificate[] {
  const serials = new Set(first.map((each) => toHex(each.serial)));
  return first.concat(second.filter((each) => !serials.has(toHex(each.serial))));
}

/** The list after the update of `version`: told is the highest version below which none is missing. */
function took(list: TrustList, version: number): TrustList {
  const ahead = new Set([...list.ahead, version]);
  let told = list.version;
  while (ahead.has(told + 1)) told += 1;
  return { ...list, version: told, ahead: [...ahead].filter((each) => each > told).sort((a, b) => a - b) };
}
