import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const COMMAND_MAX_MS = 30_000;

/** Runs the command line as an operator does, with these settings alone: its exit code, and all that it printed. */
export function run(args: string | string[], settings: Record<string, string>): Promise<{ code: number; printed: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...settings };
    const options = { env, timeout: COMMAND_MAX_MS };
    execFile(
      process.execPath,
      ['--conditions=source', MAIN, ...(typeof args === 'string' ? args.split(' ') : args)],
      options,
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, printed: stdout + stderr }),
    );
  });
}
