import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '#libs/contracts';
import { endWithUs } from '#libs/dev-servers';

export type { ServiceName };
export const SERVICES: readonly ServiceName[] = ['notifications', 'wallet', 'transactions', 'sms-gateway'];

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const READY_MS = 60_000;

/** One process of a service, from `dist/`, as it runs in production. */
export class ServiceProcess {
  readonly service: ServiceName;
  readonly port: number;
  /** Its log lines, as it wrote them. */
  readonly lines: string[] = [];
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;

  constructor(service: ServiceName, env: Record<string, string>) {
    this.service = service;
    this.port = Number(env['PORT']);
    this.#env = env;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it, and waits until it is ready unless told otherwise. `extra` is for this run alone. */
  async start(extra: Record<string, string> = {}, { waitReady = true } = {}): Promise<void> {
    const child = spawn(process.execPath, ['--enable-source-maps', `dist/apps/${this.service}/src/main.js`], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], ...this.#env, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In a process group of its own: a Ctrl-C ends whoever started it, and it with that.
      detached: true,
    });
    endWithUs(child);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
    if (waitReady) await this.ready();
  }

  /** Waits until `/health/ready` says so. */
  async ready(timeoutMs = READY_MS): Promise<void> {
    await until(
      async () => {
        if (!this.running) throw new Error(`${this.service} ended:\n${this.lines.slice(-20).join('\n')}`);
        return isReady(this.port);
      },
      { timeoutMs, what: () => `${this.service} to be ready; it said:\n${this.lines.slice(-20).join('\n')}` },
    );
  }

  /** Resolves with the signal or code when it is gone. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    if (!this.#child) return null;
    if (this.running) await once(this.#child, 'exit');
    return this.#child.signalCode ?? this.#child.exitCode;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.ended();
  }

  /** SIGTERM, and waits for the clean end. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.ended();
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(3_000) })).ok;
  } catch {
    return false;
  }
}

/** Looks again and again until `look` is true; throws after `timeoutMs`, saying what was waited for. */
export async function until(
  look: () => Promise<boolean> | boolean,
  { timeoutMs, everyMs = 50, what }: { timeoutMs: number; everyMs?: number; what: () => string },
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
