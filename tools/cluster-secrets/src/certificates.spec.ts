import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NatsLink } from '#libs/messaging';
import { log } from '#libs/runtime';
import { natsCredentials, type NatsServer, startNats } from '#libs/dev-servers';
import { type Certified, isDue, makeAuthority, makeServer } from './certificates.ts';

const YEAR_MS = 365.25 * 24 * 3_600_000;
const dir = mkdtempSync(join(tmpdir(), 'smspay-certificates-'));
const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

describe('a certificate', () => {
  let authority: Certified;
  beforeAll(async () => {
    authority = await makeAuthority('shop-nats-ca');
  });

  it('is good for five years, and due at half of them', async () => {
    const { certificate } = await makeServer(authority, ['shop-nats']);
    const ends = Date.parse(new X509Certificate(certificate).validTo);
    expect((ends - Date.now()) / YEAR_MS).toBeCloseTo(5, 1);
    expect(isDue(certificate, authority.certificate, Date.now() + 2.4 * YEAR_MS)).toBe(false);
    expect(isDue(certificate, authority.certificate, Date.now() + 2.6 * YEAR_MS)).toBe(true);
  });

  it('is due when another CA has taken the place of its own', async () => {
    const { certificate } = await makeServer(authority, ['shop-nats']);
    expect(isDue(certificate, authority.certificate)).toBe(false);
    expect(isDue(certificate, (await makeAuthority('shop-nats-ca')).certificate)).toBe(true);
  });

  it('cannot sign one itself: the CA signs no CA', async () => {
    const { certificate } = await makeServer(authority, ['shop-nats']);
    expect(new X509Certificate(certificate).ca).toBe(false);
    expect(new X509Certificate(authority.certificate).ca).toBe(true);
  });
});

describe('NATS over TLS', () => {
  let nats: NatsServer | undefined;
  const links: NatsLink[] = [];
  afterEach(async () => {
    await Promise.all(links.splice(0).map((link) => link.close()));
    await nats?.stop();
  });

  /** A server with a certificate for `name`; the files of its CA and of the wallet's credential. */
  async function serve(name: string) {
    const authority = await makeAuthority('shop-nats-ca');
    const { certificate, key } = await makeServer(authority, [name]);
    const { users, seedFiles } = await natsCredentials(dir);
    nats = await startNats({ users, tls: { cert: file('tls.crt', certificate), key: file('tls.key', key) } });
    return {
      port: nats.port,
      url: `nats://localhost:${nats.port}`,
      ca: file('ca.crt', authority.certificate),
      seed: seedFiles.wallet,
    };
  }

  /** Why a link does not come, from the log. */
  async function refusal(settings: ConstructorParameters<typeof NatsLink>[1]): Promise<unknown> {
    const link = new NatsLink('wallet', settings);
    links.push(link);
    const { warn, level } = log;
    try {
      log.level = 'warn';
      return await new Promise((resolve, reject) => {
        log.warn = (fields: { reason: string }) => resolve(fields.reason);
        void link.open().then(() => reject(new Error('it was let in')));
      });
    } finally {
      log.warn = warn;
      log.level = level;
    }
  }

  it('lets in who trusts its CA and has a credential', async () => {
    const { url, ca, seed } = await serve('localhost');
    const link = new NatsLink('wallet', { NATS_URL: url, NATS_CREDS: seed, NATS_CA: ca });
    links.push(link);
    await link.open();
    await expect(link.connection?.flush()).resolves.toBeUndefined();
  });

  it('is refused under another CA, and under another name', async () => {
    const { url, ca, seed } = await serve('another');
    const other = file('other.crt', (await makeAuthority('other')).certificate);
    expect(await refusal({ NATS_URL: url, NATS_CREDS: seed, NATS_CA: other })).toMatch(/unable to verify|self-signed/);
    expect(await refusal({ NATS_URL: url, NATS_CREDS: seed, NATS_CA: ca })).toMatch(/Hostname\/IP does not match/);
  });

  it('is asked for: a server without it is refused', async () => {
    const { ca } = await serve('localhost');
    await nats?.stop();
    nats = await startNats();
    expect(await refusal({ NATS_URL: nats.url, NATS_CA: ca })).toMatch(/does not support 'tls'/);
  });

  it('takes no plain text', async () => {
    const { port } = await serve('localhost');
    const socket = dial(port, '127.0.0.1');
    await once(socket, 'data'); // INFO: the one line before TLS
    socket.write('CONNECT {}\r\nPING\r\n');
    const answers: string[] = [];
    socket.on('data', (data) => answers.push(String(data)));
    await once(socket, 'close');
    expect(answers.join('')).not.toContain('PONG');
  });
});
