import { describe, expect, it } from '@jest/globals';
import { readSettings } from './settings.ts';

const GOOD = {
  SMSPAY_MODE: 'development',
  PORT: '3000',
  PUBLIC_URL: 'http://127.0.0.1:3001/',
  TWILIO_ACCOUNT_SID: 'AC01',
  TWILIO_AUTH_TOKEN: 'development-token',
  SMS_NUMBERS: '+254700000001, +254700000002',
  NATS_URL: 'nats://127.0.0.1:4222',
};

const problemsOf = (env: Record<string, string>) => {
  const read = readSettings(env);
  return 'problems' in read ? read.problems : [];
};

describe('settings', () => {
  it('are read', () => {
    expect(readSettings(GOOD)).toEqual({
      settings: {
        ...GOOD,
        PORT: 3000,
        HOST: '127.0.0.1',
        PUBLIC_URL: 'http://127.0.0.1:3001',
        SMS_NUMBERS: ['+254700000001', '+254700000002'],
      },
    });
  });

  it('refuse production', () => {
    const line = 'SMSPAY_MODE: the simulator runs in development only, say SMSPAY_MODE=development';
    expect(problemsOf({ ...GOOD, SMSPAY_MODE: 'production' })).toEqual([`${line}, got production`]);
    expect(problemsOf({ ...GOOD, SMSPAY_MODE: '' })).toEqual([`${line}, got nothing`]);
  });

  it('name what is missing or wrong, one line each, and no secret', () => {
    expect(problemsOf({ ...GOOD, NATS_URL: '', SMS_NUMBERS: 'MG01', NATS_CREDS: '/nowhere/seed' })).toEqual([
      'SMS_NUMBERS: must be numbers like +254700000001, comma separated, got MG01',
      'NATS_URL: is missing',
      expect.stringMatching(/^NATS_CREDS: cannot be read: ENOENT.*, got \/nowhere\/seed$/),
    ]);
    expect(problemsOf({ ...GOOD, TWILIO_AUTH_TOKEN: '' })).toEqual(['TWILIO_AUTH_TOKEN: is missing']);
  });
});
