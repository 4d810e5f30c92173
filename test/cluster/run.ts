import { spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';

/** Aborted by Ctrl-C: what runs then is ended. */
export const ending = new AbortController();
setMaxListeners(0, ending.signal);

export interface RunOptions {
  /** Goes to the command's standard input. */
  input?: string;
  cwd?: string;
  timeoutMs?: number;
  /** Also after Ctrl-C: what cleans up. */
  always?: boolean;
}

/** Runs a command; resolves with what it printed, rejects with all that it said. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input, cwd, timeoutMs = 300_000, always = false } = options;
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(always ? [] : [ending.signal])]);
  return new Promise((resolve, reject) => {
    // A process group of its own: Ctrl-C reaches the suite alone, which ends the rest in order.
    const child = spawn(command, args, { cwd, signal, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, all] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      out += data;
      all += data;
    });
    child.stderr.setEncoding('utf8').on('data', (data: string) => (all += data));
    child.stdin.on('error', () => undefined).end(input ?? '');
    const what = `${command} ${args.slice(0, 4).join(' ')}`;
    child.once('error', (error) => reject(new Error(`${what}: ${error.message} ${all.trim()}`, { cause: error })));
    child.once('close', (code) =>
      code === 0
        ? resolve(out)
        : reject(new Error(`${what}: exit code ${code}\n${all.trim().split('\n').slice(-20).join('\n')}`)),
    );
  });
}

export const kubectl = (args: readonly string[], options?: RunOptions) => run('kubectl', args, options);
export const helm = (args: readonly string[], options?: RunOptions) => run('helm', args, options);

/** Whether a command is on PATH and answers. */
export const answers = (command: string, ...args: string[]): Promise<boolean> =>
  run(command, args, { timeoutMs: 20_000 }).then(
    () => true,
    () => false,
  );

export const pause = (ms: number): Promise<void> => setTimeout(ms, undefined, { signal: ending.signal });

/** Looks each second until `look` is true; rejects after `timeoutMs`, saying what was waited for. */
export async function until(look: () => Promise<boolean>, what: () => string, timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs / 1000} s for ${what()}`);
    await pause(1_000);
  }
}
