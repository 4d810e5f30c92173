import { randomBytes } from 'node:crypto';
import { type Asker, askersIn, type Mode, permissionsOf } from '#libs/contracts';
import { nkeys } from '@nats-io/transport-node';
import { isDue, makeAuthority, makeServer } from './certificates.ts';
import type { SecretData, Secrets } from './cluster.ts';

/** What a release needs and does not bring. */
export interface Wanted {
  /** Names of Secrets that hold a key file: `keys.json`, one random key of 32 bytes. */
  keys: readonly string[];
  /** The name of the Secret in which the simulator's Twilio has its auth token. */
  simulatedTwilio?: string | undefined;
  /**
   * MongoDB, bundled: the Secret `<name>` has one URI a user, `<name>-admin` the root user's and the key file. By its operator:
   * `<name>-passwords`, one a user. `databases` is the database of each user by its name.
   */
  mongodb?: { name: string; kind: 'bundled' | 'operator'; databases: Readonly<Record<string, string>> } | undefined;
  /**
   * The bundled NATS: its Secrets are `<name>-<asker>` with `seed`, of whoever has a credential in the mode; `<name>-ca` with `ca.crt` and
   * `ca.key`; `<name>-tls` with the servers' `tls.crt` and `tls.key`, `ca.crt`, and `renewed`, the revision of the release that made them
   * anew; `<name>-config` with `nats.conf`.
   */
  nats?: { name: string; namespace: string; mode: Mode; replicas: number; revision: string } | undefined;
}

/**
 * Makes what is missing; what is there stays, whoever made it. Only NATS' configuration is written anew each time, since the next release
 * may have other contracts, and its certificate when it is due. Tells each name that it made.
 */
export async function makeSecrets(secrets: Secrets, wanted: Wanted, made: (name: string) => void): Promise<void> {
  const once = async (name: string, make: () => SecretData | Promise<SecretData>): Promise<SecretData> => {
    const there = await secrets.read(name);
    if (there) return there;
    await secrets.create(name, await make());
    made(name);
    // Read back: another run may have been first.
    const now = await secrets.read(name);
    if (!now) throw new Error(`Secret ${name} was made and is gone`);
    return now;
  };
  for (const name of wanted.keys) {
    await once(name, () => ({ 'keys.json': JSON.stringify({ [`k${Date.now()}`]: randomBytes(32).toString('base64') }) }));
  }
  if (wanted.simulatedTwilio) {
    await once(wanted.simulatedTwilio, () => ({ authToken: `development-${randomBytes(16).toString('hex')}` }));
  }
  if (wanted.mongodb) {
    const { name, kind, databases } = wanted.mongodb;
    const ofEach = (make: (user: string, database: string) => string): SecretData =>
      Object.fromEntries(Object.entries(databases).map(([user, database]) => [user, make(user, database)]));
    if (kind === 'operator') await once(`${name}-passwords`, () => ofEach(newPassword));
    else {
      // There is one member, which knows itself by another name than its clients do.
      const uri = (user: string, database: string) =>
        `mongodb://${user}:${newPassword()}@${name}:27017/${database}?directConnection=true`;
      await once(name, () => ofEach(uri));
      await once(`${name}-admin`, () => ({ uri: uri('root', 'admin'), keyFile: randomBytes(96).toString('base64') }));
    }
  }
  if (wanted.nats) {
    const { name, namespace, mode, replicas, revision } = wanted.nats;
    const users: { asker: Asker; nkey: string }[] = [];
    for (const asker of askersIn(mode)) {
      const { seed } = await once(`${name}-${asker}`, () => ({ seed: new TextDecoder().decode(nkeys.createUser().getSeed()) }));
      if (!seed) throw new Error(`Secret ${name}-${asker} must have the key seed`);
      users.push({ asker, nkey: nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey() });
    }
    const { 'ca.crt': ca = '', 'ca.key': caKey = '' } = await once(`${name}-ca`, async () => {
      const { certificate, key } = await makeAuthority(`${name}-ca`);
      return { 'ca.crt': certificate, 'ca.key': key };
    });
    const certify = async () => {
      // The Service, as clients call it, and each server, as the others do.
      const names = [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, `*.${name}-routes`];
      const { certificate, key } = await makeServer({ certificate: ca, key: caKey }, names);
      return { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': ca };
    };
    const { 'tls.crt': certificate = '' } = await once(`${name}-tls`, certify);
    if (isDue(certificate, ca)) {
      await secrets.replace(`${name}-tls`, { ...(await certify()), renewed: revision });
      made(`${name}-tls`);
    }
    const config = `${name}-config`;
    const conf = { 'nats.conf': natsConfig(name, replicas, users) };
    await once(config, () => conf);
    await secrets.replace(config, conf);
  }
}

const newPassword = () => randomBytes(24).toString('hex');

/** The configuration of each server of the bundled NATS; its language takes JSON. No JetStream: MongoDB is the record. */
function natsConfig(name: string, replicas: number, users: readonly { asker: Asker; nkey: string }[]) {
  const tls = { cert_file: '/etc/nats/tls.crt', key_file: '/etc/nats/tls.key' };
  return JSON.stringify(
    {
      port: 4222,
      http: 8222,
      tls,
      cluster: {
        name,
        port: 6222,
        // Clients come by the Service: a pod's address is gone with the pod, and a client that learned it would try it for long.
        no_advertise: true,
        // The servers know each other by their certificate.
        tls: { ...tls, ca_file: '/etc/nats/ca.crt', verify: true },
        routes: Array.from({ length: replicas }, (_, n) => `nats://${name}-${n}.${name}-routes:6222`),
      },
      authorization: {
        users: users.map(({ asker, nkey }) => {
          const { publish, subscribe, allowResponses } = permissionsOf(asker);
          return {
            nkey,
            permissions: { publish: { allow: publish }, subscribe: { allow: subscribe }, allow_responses: allowResponses },
          };
        }),
      },
    },
    undefined,
    2,
  );
}
