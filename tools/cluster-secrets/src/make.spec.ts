import { describe, expect, it } from '@jest/globals';
import { askersIn, permissionsOf, ReadLedger } from '#libs/contracts';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uriProblems } from '#libs/mongo';
import { keyFile } from '#libs/runtime';
import { nkeys } from '@nats-io/transport-node';
import { isDue } from './certificates.ts';
import type { SecretData, Secrets } from './cluster.ts';
import { makeSecrets } from './make.ts';

/** The Secrets of a namespace in memory. */
function namespace(there: Record<string, SecretData> = {}) {
  const all = new Map(Object.entries(there));
  const secrets: Secrets = {
    read: async (name) => all.get(name),
    create: async (name, data) => {
      if (!all.has(name)) all.set(name, data);
    },
    replace: async (name, data) => void all.set(name, data),
  };
  return { all, secrets };
}

/** What is looked at of NATS' configuration. */
interface NatsConfig {
  cluster: { routes: string[] };
  authorization: { users: { nkey: string; permissions: { publish: { allow: string[] } } }[] };
}

const mongodb = {
  name: 'shop-mongodb',
  kind: 'bundled' as const,
  databases: { wallet: 'smspay_wallet', 'sms-gateway': 'smspay_sms_gateway' },
};
const nats = { name: 'shop-nats', namespace: 'town', mode: 'production' as const, replicas: 3, revision: '7' };
const wanted = { keys: ['shop-data-keys'], simulatedTwilio: 'shop-twilio', mongodb, nats };

describe('the secrets of a release', () => {
  it('are made once: a second run changes none', async () => {
    const { all, secrets } = namespace();
    const made: string[] = [];
    await makeSecrets(secrets, wanted, (name) => made.push(name));
    const first = new Map(all);
    await makeSecrets(secrets, wanted, (name) => made.push(name));
    expect(all).toEqual(first);
    expect(made.sort()).toEqual([...all.keys()].sort());
  });

  it('keep what somebody else made', async () => {
    const { all, secrets } = namespace({ 'shop-data-keys': { 'keys.json': 'theirs' } });
    await makeSecrets(secrets, wanted, () => undefined);
    expect(all.get('shop-data-keys')).toEqual({ 'keys.json': 'theirs' });
  });

  it('hold keys that the services take', async () => {
    const { all, secrets } = namespace();
    await makeSecrets(secrets, wanted, () => undefined);
    const file = join(mkdtempSync(join(tmpdir(), 'smspay-keys-')), 'keys.json');
    writeFileSync(file, all.get('shop-data-keys')?.['keys.json'] ?? '');
    expect(readFileSync(file, 'utf8')).not.toContain('development');
    expect(keyFile.parse(file)).toHaveLength(1);
  });

  it('give each service the URI of its own database, with a password of its own', async () => {
    const { all, secrets } = namespace();
    await makeSecrets(secrets, wanted, () => undefined);
    const { wallet = '', 'sms-gateway': gateway = '', ...more } = all.get('shop-mongodb') ?? {};
    expect([uriProblems(wallet), uriProblems(gateway), more]).toEqual([[], [], {}]);
    expect(new URL(wallet)).toMatchObject({ username: 'wallet', host: 'shop-mongodb:27017', pathname: '/smspay_wallet' });
    expect(
      new Set([wallet, gateway, all.get('shop-mongodb-admin')?.['uri'] ?? ''].map((uri) => new URL(uri).password)).size,
    ).toBe(3);
  });

  it('are only passwords where an operator runs MongoDB', async () => {
    const { all, secrets } = namespace();
    await makeSecrets(secrets, { keys: [], mongodb: { ...mongodb, kind: 'operator' } }, () => undefined);
    expect([...all.keys()]).toEqual(['shop-mongodb-passwords']);
    expect(Object.keys(all.get('shop-mongodb-passwords') ?? {})).toEqual(['wallet', 'sms-gateway']);
  });

  it('give each NATS credential just the subjects of the contracts, in every release anew', async () => {
    const { all, secrets } = namespace();
    await makeSecrets(secrets, wanted, () => undefined);
    const { 'nats.conf': config = '' } = all.get('shop-nats-config') ?? {};
    all.set('shop-nats-config', { 'nats.conf': 'of an older release' });
    await makeSecrets(secrets, wanted, () => undefined);
    expect(all.get('shop-nats-config')).toEqual({ 'nats.conf': config });
    const { authorization, cluster } = JSON.parse(config) as NatsConfig;
    expect(cluster.routes).toHaveLength(3);
    expect(authorization.users.map(({ permissions }) => permissions.publish.allow)).toEqual(
      askersIn('production').map((asker) => permissionsOf(asker).publish),
    );
  });

  it('let the simulator read the ledger in development; production has no credential for it, and an upgrade takes away one that it had', async () => {
    const { all, secrets } = namespace();
    const readers = () => {
      const { authorization } = JSON.parse(all.get('shop-nats-config')?.['nats.conf'] ?? '') as NatsConfig;
      const users = authorization.users.filter(({ permissions }) => permissions.publish.allow.includes(ReadLedger.subject));
      return users.map(({ nkey }) => nkey);
    };
    const keyOf = (asker: string) =>
      nkeys.fromSeed(new TextEncoder().encode(all.get(`shop-nats-${asker}`)?.['seed'])).getPublicKey();

    await makeSecrets(secrets, wanted, () => undefined);
    expect(all.has('shop-nats-simulator')).toBe(false);
    expect(readers()).toEqual([keyOf('admin')]);
    await makeSecrets(secrets, { ...wanted, nats: { ...nats, mode: 'development' } }, () => undefined);
    expect(readers()).toEqual([keyOf('admin'), keyOf('simulator')]);
    await makeSecrets(secrets, wanted, () => undefined);
    expect(readers()).toEqual([keyOf('admin')]);
  });

  it('certify NATS under its names, and again by a CA that was made anew', async () => {
    const { all, secrets } = namespace();
    await makeSecrets(secrets, wanted, () => undefined);
    const first = all.get('shop-nats-tls') ?? {};
    expect(new X509Certificate(first['tls.crt'] ?? '').subjectAltName).toBe(
      'DNS:shop-nats, DNS:shop-nats.town, DNS:shop-nats.town.svc, DNS:*.shop-nats-routes',
    );
    expect(first['ca.crt']).toBe(all.get('shop-nats-ca')?.['ca.crt']);

    all.delete('shop-nats-ca');
    const made: string[] = [];
    await makeSecrets(secrets, wanted, (name) => made.push(name));
    expect(made).toEqual(['shop-nats-ca', 'shop-nats-tls']);
    const second = all.get('shop-nats-tls') ?? {};
    expect(second['ca.crt']).toBe(all.get('shop-nats-ca')?.['ca.crt']);
    expect(isDue(second['tls.crt'] ?? '', second['ca.crt'] ?? '')).toBe(false);
    expect([first['renewed'], second['renewed']]).toEqual([undefined, '7']);
  });
});
