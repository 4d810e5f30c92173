import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { SERVICES } from '#libs/testing';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXIT_MAX_MS = 15_000;

it.each(SERVICES)('%s with wrong settings exits with 78, also if nobody reads what it says', async (service) => {
  const child = spawn(process.execPath, [`dist/apps/${service}/src/main.js`], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // Whoever read is gone before anything is written.
  child.stdout.destroy();
  try {
    const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(EXIT_MAX_MS) });
    expect(code).toBe(78);
  } finally {
    child.kill('SIGKILL');
  }
});
