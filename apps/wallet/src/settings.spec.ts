import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readSettings } from '#libs/runtime';
import { settings, termsOf } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'smspay-settings-'));
function fileOf(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

const KEYS = JSON.stringify({ k1: Buffer.alloc(32, 1).toString('base64') });

const good = {
  SMSPAY_MODE: 'development',
  NATS_URL: 'nats://127.0.0.1',
  MONGODB_URI: 'mongodb://127.0.0.1/smspay_wallet',
  CURRENCY: 'KES',
  TIME_ZONE: 'Africa/Nairobi',
  WELCOME_CREDIT: '1000.00',
  FEES: fileOf('fees.json', '[{ "upTo": "100.00", "fee": "0.10" }, { "fee": "2.00" }]'),
  LEDGER_KEY: fileOf('ledger-key.json', KEYS),
  DATA_KEYS: fileOf('data-keys.json', KEYS),
  PIN_PEPPER: fileOf('pin-pepper.json', KEYS),
};

function problemsOf(change: Record<string, string>): string[] {
  const read = readSettings(settings, { ...good, ...change });
  return 'problems' in read ? read.problems : [];
}

describe('the settings of the wallet', () => {
  it('are read in minor units', () => {
    const read = readSettings(settings, good);
    if ('problems' in read) throw new Error(read.problems.join());
    expect(termsOf(read.settings)).toEqual({
      welcomeCredit: 100_000n,
      fees: [
        { upTo: 10_000n, fee: 10n },
        { upTo: undefined, fee: 200n },
      ],
    });
  });

  it('give and cost nothing if not set', () => {
    const { WELCOME_CREDIT: _w, FEES: _f, ...least } = good;
    const read = readSettings(settings, least);
    if ('problems' in read) throw new Error(read.problems.join());
    expect(termsOf(read.settings)).toEqual({ welcomeCredit: 0n, fees: [] });
  });

  it.each([
    [{ TIME_ZONE: 'Nairobi' }, 'TIME_ZONE: must be the IANA name of a time zone such as Africa/Nairobi, got Nairobi'],
    [{ WELCOME_CREDIT: 'lots' }, 'WELCOME_CREDIT: must be an amount of KES, got lots'],
    [{ FEES: fileOf('no.json', '{') }, `FEES: cannot read ${join(dir, 'no.json')}: not JSON`],
    [
      { FEES: join(dir, 'gone') },
      `FEES: cannot read ${join(dir, 'gone')}: ENOENT: no such file or directory, open '${join(dir, 'gone')}'`,
    ],
    [{ FEES: fileOf('bad.json', '[{ "upTo": "1", "fee": "1" }]') }, 'FEES: tier 1: the last tier must have no upTo, got 1'],
  ])('are refused with one line: %j', (change, problem) => {
    expect(problemsOf(change as Record<string, string>)).toEqual([problem]);
  });
});
