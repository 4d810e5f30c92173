import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { addBytes, revokeBytes, toHex } from '#libs/sms-protocol';
import { z } from 'zod';
import { type ServerCertificate, serialOf } from './certificate.ts';
import { LAST_DAY } from './days.ts';
import { mustBeStrongAgreer, mustBeStrongSigner } from './keys.ts';
import { CertificateProblem } from './problem.ts';

/** So many bytes in lower-case hex. */
const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `must be ${bytes} bytes in lower-case hex`);
const u16 = z.number().int().min(0).max(0xffff);
const day = z.number().int().min(0).max(LAST_DAY);

/** A server's certificate as the clients hold it, who read no X.509. */
const certificate = { serial: hex(8), signPub: hex(32), dhPub: hex(32), fromDay: day, toDay: day };

/** The trust list that an app packages, `trust.json`: all certificates, and those that hold no more. Days count from 1970-01-01. */
export const TrustList = z.strictObject({
  /** The newest update that is in it. */
  version: u16,
  /** The root's Ed25519 key, under which further updates are taken. */
  root: hex(32),
  certificates: z.array(z.strictObject({ ...certificate, revoked: z.boolean() })),
});
export type TrustList = z.infer<typeof TrustList>;

const signature = {
  /** The bytes that the root signed. */
  signed: z.string().regex(/^([0-9a-f]{2})+$/),
  rootSig: hex(64),
};

/** One change of the list, signed by the root: what the server tells a phone whose list is older. The versions are 1, 2, 3 … */
export const TrustUpdate = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('add'), version: u16.min(1), ...certificate, ...signature }),
  z.strictObject({ type: z.literal('revoke'), version: u16.min(1), serial: hex(8), ...signature }),
]);
export type TrustUpdate = z.infer<typeof TrustUpdate>;

/** A change that is not signed yet. */
export type TrustChange = ({ type: 'add' } & ServerCertificate) | { type: 'revoke'; serial: string };

/** Signs a change as `version`. It must be signed once alone: whoever got another of this version will not ask for it. */
export function signUpdate(change: TrustChange, version: number, rootKey: KeyObject): TrustUpdate {
  const signed = signedBytes(change, version);
  const signature = { signed: toHex(signed), rootSig: sign(null, signed, rootKey).toString('hex') };
  if (change.type === 'revoke') return { type: 'revoke', version, serial: change.serial, ...signature };
  const { serial, signPub, dhPub, fromDay, toDay } = change;
  return { type: 'add', version, serial, signPub, dhPub, fromDay, toDay, ...signature };
}

/**
 * The list that all these updates make, in their order. Throws a `CertificateProblem` if one is missing or not signed by the root, breaks
 * the rule of serial numbers, or has a weak key (docs/protocol.md, "11. Certificate rotation and revocation").
 */
export function trustListOf(root: Buffer, updates: readonly TrustUpdate[]): TrustList {
  mustBeStrongSigner(root);
  const rootKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: root.toString('base64url') }, format: 'jwk' });
  const certificates = new Map<string, TrustList['certificates'][number]>();
  const take = (update: TrustUpdate, version: number) => {
    if (update.version !== version) throw new CertificateProblem(`must be update ${version}`);
    const signed = signedBytes(update, version);
    if (update.signed !== toHex(signed)) throw new CertificateProblem('"signed" is not what the rest says');
    if (!verify(null, signed, rootKey, Buffer.from(update.rootSig, 'hex')))
      throw new CertificateProblem('was not signed by this root');
    const { serial } = update;
    const there = certificates.get(serial);
    if (update.type === 'revoke') {
      if (!there) throw new CertificateProblem(`${serial} is not in the list`);
      if (there.revoked) throw new CertificateProblem(`${serial} is revoked already`);
      there.revoked = true;
      return;
    }
    const { signPub, dhPub, fromDay, toDay } = update;
    mustBeStrongSigner(Buffer.from(signPub, 'hex'));
    mustBeStrongAgreer(Buffer.from(dhPub, 'hex'));
    const right = serialOf(Buffer.from(signPub, 'hex'), Buffer.from(dhPub, 'hex'));
    if (serial !== right) throw new CertificateProblem(`the serial number must be ${right}, by its keys, is ${serial}`);
    if (fromDay > toDay) throw new CertificateProblem('the last day is before the first');
    if (there) throw new CertificateProblem(`${serial} is in the list already`);
    certificates.set(serial, { serial, signPub, dhPub, fromDay, toDay, revoked: false });
  };
  for (const [index, update] of updates.entries()) {
    try {
      take(update, index + 1);
    } catch (error) {
      if (!(error instanceof CertificateProblem)) throw error;
      throw new CertificateProblem(`update ${update.version}: ${error.message}`);
    }
  }
  return { version: updates.length, root: root.toString('hex'), certificates: [...certificates.values()] };
}

/** What the root signs of a change (docs/protocol.md, "11. Certificate rotation and revocation"). */
function signedBytes(change: TrustChange, version: number): Uint8Array {
  if (change.type === 'revoke') return revokeBytes({ version, serial: Buffer.from(change.serial, 'hex') });
  const { signPub, dhPub, fromDay, toDay } = change;
  return addBytes({ version, signPub: Buffer.from(signPub, 'hex'), dhPub: Buffer.from(dhPub, 'hex'), fromDay, toDay });
}
