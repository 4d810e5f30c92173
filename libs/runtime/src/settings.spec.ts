import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { commonSettings, keyFile, readSettings } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'smspay-settings-'));
const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const KEY = Buffer.alloc(32, 1).toString('base64');
const schema = z.object({ ...commonSettings.shape, DATA_KEYS: keyFile.describe('the keys that seal') });
const good = {
  NATS_URL: 'nats://localhost',
  NATS_CREDS: '/seed',
  NATS_CA: '/ca',
  DATA_KEYS: file('good.json', JSON.stringify({ k1: KEY })),
};

/** The lines an operator sees. */
const problemsOf = (env: Record<string, string>) => {
  const read = readSettings(schema, env);
  return 'problems' in read ? read.problems : [];
};

describe('settings', () => {
  it('are read, with their defaults', () => {
    expect(readSettings(schema, good)).toMatchObject({
      settings: { SMSPAY_MODE: 'production', PORT: 3000, LOG_LEVEL: 'info', DATA_KEYS: [{ id: 'k1' }] },
    });
  });

  it('that are wrong give one line each, that names the setting', () => {
    const problems = problemsOf({ ...good, PORT: 'http', LOG_LEVEL: 'loud', NATS_URL: '' });
    expect(problems.map((line) => line.split(':')[0])).toEqual(['PORT', 'NATS_URL', 'LOG_LEVEL']);
    expect(problems[1]).toBe('NATS_URL: is missing: NATS servers, comma separated: nats://host:4222');
  });

  it.each([
    ['absent.json', undefined, /cannot read the key file/],
    ['text.json', 'hello', /not JSON/],
    ['shape.json', '["x"]', /must be JSON/],
    ['empty.json', '{}', /holds no key/],
    ['short.json', JSON.stringify({ k1: 'AAAA' }), /key k1 .* must have 32 bytes, got 3/],
  ])('key file %s is refused', (name, text, message) => {
    const path = text === undefined ? join(dir, name) : file(name, text);
    expect(problemsOf({ ...good, DATA_KEYS: path })).toEqual([expect.stringMatching(message)]);
  });

  it('have keys in the order in which they are written, whatever their ids look like', () => {
    const path = file('order.json', JSON.stringify({ x: 1 }).replace('"x":1', `"2": "${KEY}", "k": "${KEY}", "1": "${KEY}"`));
    const read = readSettings(schema, { ...good, DATA_KEYS: path });
    expect('settings' in read && read.settings.DATA_KEYS.map(({ id }) => id)).toEqual(['2', 'k', '1']);
  });

  it('of production take no development secret, and no NATS without a credential and TLS', () => {
    const development = {
      ...good,
      DATA_KEYS: file('dev.json', JSON.stringify({ 'development-1': KEY })),
      NATS_CREDS: '',
      NATS_CA: '',
    };
    expect(problemsOf(development)).toEqual([
      expect.stringMatching(/^DATA_KEYS: holds a development secret/),
      expect.stringMatching(/^NATS_CREDS: is missing/),
      expect.stringMatching(/^NATS_CA: is missing/),
    ]);
    expect(problemsOf({ ...development, SMSPAY_MODE: 'development' })).toEqual([]);
  });
});
