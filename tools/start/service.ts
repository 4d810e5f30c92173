import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithUs } from '#libs/dev-servers';
import { type Running, WrongSettings } from './keep.ts';
import { ROOT } from './root.ts';

/** A service's exit code for wrong settings (sysexits.h, EX_CONFIG). */
const WRONG_SETTINGS = 78;
const READY_MAX_MS = 60_000;
/** Longer than a service's own bound on its stop. */
const STOP_MAX_MS = 30_000;
const POLL_MS = 50;
/** The same line again within this is not shown. */
const REPEAT_MS = 10_000;

export interface ServiceCommand {
  name: string;
  /** Compiled, from the root of the checkout. */
  script: string;
  env: NodeJS.ProcessEnv;
  port: number;
  /** Gets every line. */
  log: WriteStream;
  /** Told what an operator should see: warnings and worse, in short. */
  say: (line: string) => void;
}

/** Starts a service and waits until it is ready. Throws what it said if it ends before: `WrongSettings` where it says so itself. */
export async function startService({ name, script, env, port, log, say }: ServiceCommand, signal: AbortSignal): Promise<Running> {
  // In a process group of its own: it is stopped in its turn, not by the terminal.
  const child = spawn(process.execPath, ['--enable-source-maps', script], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  await once(child, 'spawn');
  endWithUs(child);

  const exited = once(child, 'close').then(() => howItEnded(child) ?? '');
  let ready = false;
  const complaints: string[] = [];
  const shown = new Map<string, number>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${line}\n`);
      const complaint = complaintOf(line);
      if (!complaint) return;
      // Before it is ready its complaints are told only if it does not get so.
      if (!ready) complaints.push(complaint);
      else if (Date.now() - (shown.get(complaint) ?? 0) > REPEAT_MS) {
        shown.set(complaint, Date.now());
        say(`${name}: ${complaint}`);
      }
    });
  }
  const end = async () => {
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MAX_MS);
    await exited;
    clearTimeout(patience);
  };

  // Whoever answers in place of a dead one is somebody else.
  for (const deadline = Date.now() + READY_MAX_MS; !(await isReady(port)) || howItEnded(child); await delay(POLL_MS)) {
    const ended = howItEnded(child);
    if (!ended && !signal.aborted && Date.now() < deadline) continue;
    const why = ended ? `ended at its start (${ended})` : `was not ready within ${READY_MAX_MS / 1000} s`;
    await end();
    throw child.exitCode === WRONG_SETTINGS
      ? new WrongSettings(complaints.map((complaint) => `${name}: ${complaint}`).join('\n'))
      : new Error([`${name} ${why}; all it said is in ${String(log.path)}`, ...complaints.slice(-5)].join('\n  '));
  }
  ready = true;
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { exited, stop: end, kill };
}

function howItEnded({ exitCode, signalCode }: ChildProcess): string | undefined {
  return signalCode ?? (exitCode === null ? undefined : `exit code ${exitCode}`);
}

/** The short of a log line from `warn` up; a line that is no log is one too, but for the frames of a stack. */
function complaintOf(line: string): string | undefined {
  try {
    const { level, msg, err, event, error } = JSON.parse(line) as Record<string, string> & { err?: { message?: string } };
    if (level !== 'warn' && level !== 'error' && level !== 'fatal') return undefined;
    const more = err?.message ?? error ?? event;
    return more && more !== msg ? `${msg}: ${more}` : msg;
  } catch {
    return /^\s*(at .*|[\^~]*|[{}].*|Node\.js v.*)$/.test(line) ? undefined : line.trim();
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(3_000) })).ok;
  } catch {
    return false;
  }
}
