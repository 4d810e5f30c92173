import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { messageOf } from './ways.ts';

const execute = promisify(execFile);

/** A silent registry must not hold up a start for ever. */
const INSTALL_MAX_MS = 300_000;

/** What is told while one waits. */
export type Log = (line: string) => void;

/** An interpreter: its path (not a shim's, so that its pid is the server's) and what its compiled packages are for, `cp311`. */
export interface Python {
  path: string;
  tag: string;
}

const WHICH_PYTHON = 'import sys, pip; print(sys.executable); print(sys.version_info.minor)';

/** The first Python 3 of these commands that has pip and whose minor version is one of `minors` (any if absent). */
export async function findPython(commands: readonly string[], minors?: readonly number[]): Promise<Python> {
  const failures: string[] = [];
  for (const command of commands) {
    try {
      const { stdout } = await execute(command, ['-c', WHICH_PYTHON], { env: process.env });
      const [path = '', minor = ''] = stdout.trim().split('\n');
      if (!minors || minors.includes(Number(minor))) return { path, tag: `cp3${minor}` };
      failures.push(`${command} is 3.${minor}`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') failures.push(message.includes("named 'pip'") ? `${command} has no pip` : `${command} does not run`);
    }
  }
  throw new Error(failures.join(', ') || `there is no ${commands[0]}`);
}

/** Installs a lock file's packages, each by its hash, into the user's cache once; the folder they are in. */
export function installByPip(python: Python, name: string, lockFile: string, log: Log): Promise<string> {
  return installOnce(name, log, async (target) => {
    const requirements = fileURLToPath(new URL(`../${lockFile}`, import.meta.url));
    const args = ['--require-hashes', '--only-binary=:all:', '--no-deps', '--target', target, '-r', requirements];
    const env = { ...process.env, PIP_USER: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
    await execute(python.path, ['-m', 'pip', 'install', '--quiet', '--no-input', ...args], { env, timeout: INSTALL_MAX_MS });
  });
}

/** Builds a Go program into the user's cache once; the folder it is in. */
export function installByGo(name: string, module: string, log: Log): Promise<string> {
  return installOnce(name, log, async (target) => {
    await execute('go', ['install', module], { env: { ...process.env, GOBIN: target }, timeout: INSTALL_MAX_MS });
  });
}

/** Installs to a temporary folder and renames it, so that two starts at once are fine and half an installation is never used. */
async function installOnce(name: string, log: Log, install: (target: string) => Promise<void>): Promise<string> {
  const home = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'smspay', name);
  if (await exists(home)) return home;
  log(`installing ${name}, once`);
  await mkdir(dirname(home), { recursive: true });
  const target = await mkdtemp(`${home}.`);
  try {
    await install(target);
    await rename(target, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error;
    });
  } catch (error) {
    throw new Error(`installing ${name} failed: ${lastLineOf(error)}`, { cause: error });
  } finally {
    await rm(target, { recursive: true, force: true });
  }
  return home;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

function lastLineOf(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return `there is no ${(error as NodeJS.ErrnoException).path}`;
  const lines = String((error as { stderr?: string }).stderr || messageOf(error))
    .trim()
    .split('\n');
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
}
