import { z } from 'zod';
import { TrustList, TrustUpdate } from './trust-list.ts';

const pem = z.string().startsWith('-----BEGIN ');

/** What the server must have at run time, `server-keys.json`, which is secret: every pair of keys that may still be used. Never the root's key. */
export const ServerKeys = z.strictObject({
  /** The root's certificate. */
  root: pem,
  /** The same list that the newest app packages. */
  trust: TrustList,
  /** Every update up to that list's version, in order, for phones whose list is older. */
  updates: z.array(TrustUpdate),
  /** By first day. Neither revoked ones are here, nor those whose last day is over. */
  certificates: z.array(
    z.strictObject({
      serial: TrustList.shape.certificates.element.shape.serial,
      certificate: pem,
      /** Ed25519, PKCS#8. */
      signKey: pem,
      /** X25519, PKCS#8. */
      dhKey: pem,
    }),
  ),
});
export type ServerKeys = z.infer<typeof ServerKeys>;
