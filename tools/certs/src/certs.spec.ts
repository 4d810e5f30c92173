import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  dateOf,
  dayOf,
  pemOf,
  newKey,
  readCertificate,
  ServerKeys,
  TrustList,
  TrustUpdate,
  trustListOf,
} from '#libs/certificates';
import { inspect, serverKeysOf } from './check.ts';
import { Folder } from './folder.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const COMMAND_MAX_MS = 30_000;
const today = dayOf(new Date());
const inDays = (days: number) => dateOf(today + days);

const home = mkdtempSync(join(tmpdir(), 'smspay-certs-'));
afterAll(() => rmSync(home, { recursive: true }));

/** A root, a current certificate of 400 days and the next, of 400 days from the 390th on; copied for each test. */
const made = join(home, 'made');
let [current, next] = ['', ''];
let dir: string;
let tests = 0;

/** Runs the command line as an operator does: its exit code, and all that it printed. */
function certs(args: string, folder = dir): Promise<{ code: number; printed: string }> {
  const given = ['--conditions=source', MAIN, ...args.split(' '), '--dir', folder];
  return new Promise((resolve) => {
    execFile(process.execPath, given, { timeout: COMMAND_MAX_MS }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, printed: stdout + stderr }),
    );
  });
}
const path = (name: string) => join(dir, name);
const text = (name: string) => readFileSync(path(name), 'utf8');
const parsed = (name: string): unknown => JSON.parse(text(name));
const change = (name: string, from: string | RegExp, to: string) => writeFileSync(path(name), text(name).replace(from, to));

beforeAll(async () => {
  for (const args of ['root', 'issue --days 400', `issue --days 400 --from ${inDays(390)}`])
    expect(await certs(args, made)).toMatchObject({ code: 0 });
  const { certificates } = TrustList.parse(JSON.parse(readFileSync(join(made, 'trust.json'), 'utf8')));
  [current = '', next = ''] = certificates.map(({ serial }) => serial);
}, 60_000);

beforeEach(() => {
  dir = join(home, `test-${++tests}`);
  cpSync(made, dir, { recursive: true });
});

const openssl = (...args: string[]) => spawnSync('openssl', args, { encoding: 'utf8' });
const hasOpenssl = openssl('version').status === 0;
if (!hasOpenssl) console.warn('openssl is not on PATH: the tests with it are skipped');

(hasOpenssl ? describe : describe.skip)('openssl', () => {
  it('shows what certs issued', () => {
    const shown = openssl('x509', '-in', path(`${current}.pem`), '-noout', '-text', '-certopt', 'ext_parse').stdout;
    const { dhPub } = readCertificate(text(`${current}.pem`), text('root.pem'));
    expect(shown).toContain(`(0x${current})`);
    expect(shown).toMatch(/Version: 3 .*Issuer: CN ?= ?smspay root\n.*Public Key Algorithm: ED25519\n/s);
    expect(shown).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(shown).toMatch(/X25519: \s*0:d=0 .*OCTET STRING/);
    expect(shown.replace(/[^0-9a-f]/gi, '').toLowerCase()).toContain(dhPub.slice(0, 8));
    const root = openssl('x509', '-in', path('root.pem'), '-noout', '-text').stdout;
    expect(root).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
    expect(root).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
  });

  it('verifies the chain, by its strict rules too, and no other chain', async () => {
    const verify = (...args: string[]) => openssl('verify', ...args, path(`${current}.pem`));
    for (const strict of [[], ['-x509_strict']])
      expect(verify(...strict, '-CAfile', path('root.pem'))).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/: OK\n$/),
      });
    const foreign = join(dir, 'foreign');
    await certs('root', foreign);
    expect(verify('-CAfile', join(foreign, 'root.pem')).status).not.toBe(0);
  });

  it('measures about what the protocol says', () => {
    const der = spawnSync('openssl', ['x509', '-in', path(`${current}.pem`), '-outform', 'DER']).stdout;
    // 325; the 311 that were measured there had no authority key identifier, which RFC 5280 asks for.
    expect(Math.abs(der.length - 311)).toBeLessThan(20);
  });

  it('reads the private keys', () => {
    expect(openssl('pkey', '-in', path(`${current}.sign.key.pem`), '-noout', '-text').stdout).toContain('ED25519 Private-Key');
    expect(openssl('pkey', '-in', path(`${current}.dh.key.pem`), '-noout', '-text').stdout).toContain('X25519 Private-Key');
  });
});

describe('certs root and issue', () => {
  it('leave keys that are their owner’s alone, and nothing half written', () => {
    for (const name of readdirSync(dir)) {
      expect(name).toMatch(/^(root|[0-9a-f]{16})(\.(sign|dh))?(\.key)?\.pem$|^(trust|update-[12])\.json$/);
      if (name.endsWith('.key.pem')) expect({ name, mode: statSync(path(name)).mode & 0o777 }).toEqual({ name, mode: 0o600 });
    }
    expect(readdirSync(dir)).toHaveLength(2 + 2 * 3 + 3);
  });

  it('write over nothing', async () => {
    const before = readdirSync(dir).map(text);
    expect(await certs('root')).toMatchObject({ code: 1, printed: expect.stringContaining('root.pem is there already') });
    expect(readdirSync(dir).map(text)).toEqual(before);
    rmSync(path('root.pem'));
    expect(await certs('root')).toMatchObject({ code: 1, printed: expect.stringContaining('root.key.pem is there already') });
  });

  it.each([
    ['issue --days 0', "argument '0' is invalid. must be a whole number from 1 to 7305"],
    ['issue --from 2026-02-30', "argument '2026-02-30' is invalid. must be a day from 1970-01-01"],
    [`issue --from ${inDays(-9)} --days 9`, `it would be over: its last day is ${inDays(-1)}`],
    [`issue --from ${inDays(-1)}`, "is not within the root's days"],
    [`issue --from ${inDays(1)} --days 7305`, "is not within the root's days"],
  ])('refuse wrong days: %s', async (args, why) => {
    expect(await certs(args)).toMatchObject({ code: 1, printed: expect.stringContaining(why) });
    expect(readdirSync(dir)).toEqual(readdirSync(made));
  });

  it('need the key of the root, and one that is its own', async () => {
    writeFileSync(path('root.key.pem'), pemOf(newKey('ed25519')));
    expect(await certs('issue')).toMatchObject({ code: 1, printed: expect.stringContaining('not the one of its certificate') });
    rmSync(path('root.key.pem'));
    expect(await certs('issue')).toMatchObject({
      code: 1,
      printed: expect.stringContaining('root.key.pem is missing: bring it back'),
    });
    expect(await certs('check')).toMatchObject({ code: 0 });
  });
});

describe('the trust list', () => {
  it('grows by one version with each change, which is an update of its own', async () => {
    expect(await certs(`revoke ${current}`)).toMatchObject({ code: 0, printed: expect.stringContaining('is version 3') });
    expect(await certs('issue')).toMatchObject({ code: 0, printed: expect.stringContaining('is version 4') });
    const updates = [1, 2, 3, 4].map((version) => TrustUpdate.parse(parsed(`update-${version}.json`)));
    expect(updates.map(({ version, type }) => `${version} ${type}`)).toEqual(['1 add', '2 add', '3 revoke', '4 add']);
    const list = TrustList.parse(parsed('trust.json'));
    expect(list).toEqual(trustListOf(Buffer.from(list.root, 'hex'), updates));
    expect(list.certificates.map(({ serial, revoked }) => [serial, revoked])).toEqual([
      [current, true],
      [next, false],
      [updates[3]?.serial, false],
    ]);
    expect(await certs(`revoke ${current}`)).toMatchObject({ code: 1, printed: `${current} is revoked already\n` });
    expect(await certs('revoke 4000000000000001')).toMatchObject({
      code: 1,
      printed: '4000000000000001 is not in the trust list\n',
    });
  });

  it('never has a version again that it had', async () => {
    rmSync(path('update-2.json'));
    for (const args of ['issue', `revoke ${current}`, 'trust'])
      expect(await certs(args)).toMatchObject({
        code: 1,
        printed: 'trust.json is version 2, and update-2.json is missing: restore it\n',
      });
    expect(readdirSync(dir)).not.toContain('update-3.json');
  });

  it('takes in what an issue that was broken off left out', async () => {
    for (const name of ['update-2.json', 'trust.json']) rmSync(path(name));
    expect(await certs('check')).toMatchObject({ code: 1, printed: expect.stringContaining(`${next} is in no update yet`) });
    expect(await certs('trust')).toMatchObject({
      code: 0,
      printed: expect.stringContaining('version 2: 2 certificates, 0 of them revoked'),
    });
    expect([parsed('trust.json'), parsed('update-2.json')]).toEqual(
      ['trust.json', 'update-2.json'].map((name) => JSON.parse(readFileSync(join(made, name), 'utf8'))),
    );
  });

  it('takes in nothing that another root signed', async () => {
    const foreign = join(dir, 'foreign');
    for (const args of ['root', 'issue']) await certs(args, foreign);
    const file = readdirSync(foreign).find((name) => /^\w{16}\.pem$/.test(name)) ?? '';
    cpSync(join(foreign, file), path(file));
    for (const args of ['trust', 'check', 'export --out nowhere.json'])
      expect(await certs(args)).toMatchObject({
        code: 1,
        printed: expect.stringContaining(`${file}: was not signed by this root`),
      });
  });
});

describe('certs check', () => {
  it('says by its exit code what is to be done', async () => {
    // The second of the two ends on day 789.
    const on = async (days: number) => certs(`check --today ${inDays(days)}`);
    expect(await on(0)).toMatchObject({ code: 0, printed: expect.stringContaining('all is right') });
    expect(await on(390)).toMatchObject({ code: 0 });
    expect(await on(729)).toMatchObject({ code: 0 });
    const soon = (days: number) => `soon: from ${inDays(790)} on, in ${days} days, no certificate is valid: issue`;
    expect(await on(730)).toMatchObject({ code: 2, printed: expect.stringContaining(`${soon(60)} the next`) });
    expect(await on(775)).toMatchObject({ code: 2, printed: expect.stringContaining(`${soon(15)} the next`) });
    expect(await on(776)).toMatchObject({ code: 2, printed: expect.stringContaining(`${soon(14)} one now`) });
    expect(await on(790)).toMatchObject({
      code: 1,
      printed: expect.stringContaining(`no certificate is valid on ${inDays(790)}`),
    });
  });

  it('counts neither what is revoked nor what follows on a gap', async () => {
    await certs(`issue --from ${inDays(900)}`);
    expect(await certs(`check --today ${inDays(780)}`)).toMatchObject({ code: 2 });
    await certs(`revoke ${next}`);
    expect(await certs(`check --today ${inDays(350)}`)).toMatchObject({
      code: 2,
      printed: expect.stringContaining(`from ${inDays(400)} on, in 50 days`),
    });
    await certs(`revoke ${current}`);
    expect(await certs('check')).toMatchObject({ code: 1, printed: expect.stringContaining('no certificate is valid') });
  });

  it.each<[string, () => void, () => string]>([
    [
      'a key that others may read',
      () => chmodSync(path(`${current}.dh.key.pem`), 0o640),
      () => `${current}.dh.key.pem: others may read it`,
    ],
    [
      'a key of another pair',
      () => cpSync(path(`${next}.sign.key.pem`), path(`${current}.sign.key.pem`)),
      () => `${current}.sign.key.pem: is not the private key`,
    ],
    [
      'a key of another kind',
      () => cpSync(path(`${current}.dh.key.pem`), path(`${current}.sign.key.pem`)),
      () => 'must be an ed25519 key, is x25519',
    ],
    ['a key that is none', () => writeFileSync(path('root.key.pem'), 'nonsense'), () => 'root.key.pem: is no private key in PEM'],
    ['a missing key', () => rmSync(path(`${next}.dh.key.pem`)), () => `${next}.dh.key.pem is missing`],
    ['a missing certificate', () => rmSync(path(`${next}.pem`)), () => `${next}.pem is missing: restore it`],
    [
      'keys without a certificate',
      () => cpSync(path(`${next}.dh.key.pem`), path('4000000000000001.dh.key.pem')),
      () => '4000000000000001.dh.key.pem belongs to no certificate',
    ],
    [
      'a certificate under another name',
      () => cpSync(path(`${next}.pem`), path(`${current}.pem`)),
      () => `${current}.pem has the certificate ${next}`,
    ],
    [
      'a changed trust list',
      () => change('trust.json', '"revoked": false', '"revoked": true'),
      () => 'trust.json is not what the updates make',
    ],
    [
      'a changed update',
      () => change('update-2.json', /"toDay": \d+/, '"toDay": 60000'),
      () => 'update 2: "signed" is not what the rest says',
    ],
    ['an update of another shape', () => change('update-1.json', '"add"', '"take"'), () => 'update-1.json: type: '],
    ['no trust list', () => rmSync(path('trust.json')), () => 'trust.json is missing: `certs trust` writes it'],
    ['no root', () => rmSync(path('root.pem')), () => 'root.pem is missing: restore it'],
  ])('finds %s', async (_, spoil, why) => {
    spoil();
    expect((await inspect(new Folder(dir), today)).problems).toContainEqual(expect.stringContaining(why()));
  });

  it('misses no key of a certificate that holds no more', async () => {
    await certs(`revoke ${next}`);
    for (const kind of ['sign', 'dh']) rmSync(path(`${next}.${kind}.key.pem`));
    expect(await certs('check')).toMatchObject({ code: 0, printed: expect.stringMatching(/ revoked\n/) });
  });
});

describe('a copy without any private key', () => {
  it('is checked as far as it goes, and exports nothing', async () => {
    for (const name of readdirSync(dir)) if (name.endsWith('.key.pem')) rmSync(path(name));
    expect(await certs('check')).toMatchObject({ code: 0, printed: expect.stringContaining('there are no private keys here') });
    expect(await certs(`check --today ${inDays(780)}`)).toMatchObject({ code: 2 });
    expect(await certs(`export --out ${path('server-keys.json')}`)).toMatchObject({
      code: 1,
      printed: `${dir} has no private keys: export where they are\n`,
    });
  });
});

describe('certs export', () => {
  it('writes what the server needs and not the key of the root, once', async () => {
    const out = path('server-keys.json');
    expect(await certs(`export --out ${out}`)).toMatchObject({ code: 0 });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const keys = ServerKeys.parse(parsed('server-keys.json'));
    expect(keys).toEqual({
      root: text('root.pem'),
      trust: parsed('trust.json'),
      updates: [parsed('update-1.json'), parsed('update-2.json')],
      certificates: [current, next].map((serial) => ({
        serial,
        certificate: text(`${serial}.pem`),
        signKey: text(`${serial}.sign.key.pem`),
        dhKey: text(`${serial}.dh.key.pem`),
      })),
    });
    expect(text('server-keys.json')).not.toContain(text('root.key.pem').split('\n')[1]);
    expect(await certs(`export --out ${out}`)).toMatchObject({
      code: 1,
      printed: `${out} is there already, and nothing is written over\n`,
    });
  });

  it('leaves out what is over or revoked, and is refused where something is wrong', async () => {
    const serials = async (day: number) =>
      (await serverKeysOf(new Folder(dir), today + day)).certificates.map(({ serial }) => serial);
    expect(await serials(399)).toEqual([current, next]);
    expect(await serials(400)).toEqual([next]);
    await certs(`revoke ${next}`);
    expect(await serials(0)).toEqual([current]);
    chmodSync(path(`${current}.sign.key.pem`), 0o644);
    expect(await certs(`export --out ${path('server-keys.json')}`)).toMatchObject({
      code: 1,
      printed: expect.stringContaining('chmod 600'),
    });
  });
});
