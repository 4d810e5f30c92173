import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { twilioOf } from './twilio.ts';

/** `npm start` once its packages are there and it is built: what it prints for errors, and its exit code. */
async function start(env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const TWILIO = { TWILIO_API_URL: '', TWILIO_ACCOUNT_SID: '', TWILIO_AUTH_TOKEN: '', SMS_NUMBERS: '', PUBLIC_URL: '' };
  const options = { env: { ...process.env, ...TWILIO, ...env }, timeout: 30_000 };
  return new Promise((resolve) => {
    const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', main];
    const child = execFile(process.execPath, args, options, (_error, _stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stderr: stderr.trim() }),
    );
  });
}

describe('npm start', () => {
  it('says which port is busy, what wants it and what to do, and starts nothing', async () => {
    const other = createServer().listen(3004);
    // Taken by somebody else: as good.
    await Promise.race([once(other, 'listening'), once(other, 'error').catch(() => undefined)]);
    try {
      const { code, stderr } = await start({});
      expect(stderr).toMatch(/^port 300\d, on which [\w-]+ listens, is taken: end the program that has it .*, then start again$/);
      expect(code).toBe(1);
    } finally {
      if (other.listening) other.close();
    }
  }, 30_000);

  it('says what lacks for talking to Twilio itself', async () => {
    const { code, stderr } = await start({ TWILIO_AUTH_TOKEN: 'token', PUBLIC_URL: 'https://pay.example.com' });
    expect(stderr.split('\n')).toEqual([
      'TWILIO_* is set, so smspay would talk to Twilio itself; these are missing too:',
      expect.stringContaining('TWILIO_ACCOUNT_SID: '),
      expect.stringContaining('SMS_NUMBERS: '),
    ]);
    expect(code).toBe(1);
  }, 30_000);
});

describe('who plays Twilio', () => {
  it('is the simulator if nothing is said', () => {
    expect(twilioOf({})).toEqual({ simulated: true, lines: [] });
  });

  it('is whoever TWILIO_API_URL names', () => {
    const { simulated, lines } = twilioOf({ TWILIO_API_URL: 'http://127.0.0.1:9000' });
    expect(simulated).toBe(false);
    expect(lines).toEqual([expect.stringContaining('http://127.0.0.1:9000')]);
  });

  it('is Twilio itself with an account of its own, and the webhook to set there is told', () => {
    const { simulated, lines } = twilioOf({
      TWILIO_ACCOUNT_SID: 'AC1',
      TWILIO_AUTH_TOKEN: 'token',
      SMS_NUMBERS: '+15005550006',
      PUBLIC_URL: 'https://pay.example.com/',
    });
    expect(simulated).toBe(false);
    expect(lines.map((line) => line.trim())).toContain('https://pay.example.com/sms/inbound');
    expect(lines.join()).not.toContain('token');
  });
});
