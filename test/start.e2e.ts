import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { SERVICES } from '#libs/testing';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

it.each(SERVICES)('%s with wrong settings exits with 78, also if nobody reads what it says', async (service) => {
  // What reads is gone before anything is written; the third stream takes the exit code past it.
  const script = 'exec 3>&1; { "$0" "$1" 3>&-; echo $? >&3; } | true';
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, `dist/apps/${service}/src/main.js`], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] },
    timeout: 20_000,
  });
  expect(stdout).toBe('78\n');
});
