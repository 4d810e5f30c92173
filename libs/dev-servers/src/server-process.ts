import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const START_MAX_MS = 30_000;
const STOP_MAX_MS = 15_000;
const POLL_MS = 25;
const CONNECT_MAX_MS = 3_000;

/** How one server is started on 127.0.0.1. */
export interface ServerCommand {
  /** For messages: `MongoDB 8.2.6`. */
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  port: number;
  /** The pid file lies in it. */
  dataDir: string;
  logFile: string;
  /** Asked until true, once the port takes connections. */
  isReady?: () => Promise<boolean>;
  /** Done when it was stopped or killed. */
  cleanUp?: () => Promise<void>;
}

/** A server that we started. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has ended, with how: `SIGKILL`, `exit code 1`. */
  readonly exited: Promise<string>;
  /** Asks it to end (SIGTERM), and makes it if it does not. */
  stop(): Promise<void>;
  /** Ends it as a power cut would (SIGKILL). Resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Sees to it that a child in a process group of its own ends with this process, however that ends: SIGKILL closes the pipe too, on which
 * a shell waits to ask the child to end.
 */
export function endWithUs(child: ChildProcess): void {
  const watcher = spawn('sh', ['-c', 'read _; kill "$0"; sleep 10; kill -9 "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  (watcher.stdin as Socket).unref();
  child.once('exit', () => watcher.kill('SIGKILL'));
}

/** Starts a server and waits until it is ready. Throws if one of an earlier start still runs on these data, the port is taken, or it ends. */
export async function startServer(server: ServerCommand): Promise<ServerProcess> {
  const pidFile = join(server.dataDir, 'server.pid');
  mkdirSync(server.dataDir, { recursive: true });
  mkdirSync(dirname(server.logFile), { recursive: true });
  await refuseLeftOver(server, pidFile);

  const output = openSync(server.logFile, 'a');
  // In a process group of its own: a Ctrl-C in the terminal must not end it before those who use it.
  const child = spawn(server.command, server.args, {
    cwd: server.dataDir,
    env: server.env ?? process.env,
    stdio: ['ignore', output, output],
    detached: true,
  });
  closeSync(output);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  endWithUs(child);
  writeFileSync(pidFile, JSON.stringify({ pid, port: server.port }));
  let ended = false;
  const exited = once(child, 'exit').then(([code, killedBy]: (number | string | null)[]) => {
    ended = true;
    rmSync(pidFile, { force: true });
    return `${killedBy ?? `exit code ${code}`}`;
  });
  const end = async (name: NodeJS.Signals) => {
    if (!ended) signal(pid, name);
    await exited;
  };

  const ready = async () => (await takesConnections(server.port)) && (await (server.isReady?.() ?? true));
  for (const deadline = Date.now() + START_MAX_MS; !(await ready()); await delay(POLL_MS)) {
    if (!ended && Date.now() < deadline) continue;
    const why = ended ? 'ended at start' : `was not ready within ${START_MAX_MS / 1000} s`;
    await end('SIGKILL');
    throw new Error(`${server.name} ${why}; the end of ${server.logFile}:\n${tailOf(server.logFile)}`);
  }
  return {
    pid,
    exited,
    async stop() {
      const patience = setTimeout(() => void end('SIGKILL'), STOP_MAX_MS);
      await end('SIGTERM');
      clearTimeout(patience);
      await server.cleanUp?.();
    },
    async kill() {
      await end('SIGKILL');
      await server.cleanUp?.();
    },
  };
}

async function refuseLeftOver(server: ServerCommand, pidFile: string): Promise<void> {
  const left = readPidFile(pidFile);
  // A pid is given out again, so both must hold: the process lives, and its port answers.
  if (left && signal(left.pid, 0) && (await takesConnections(left.port))) {
    throw new Error(
      `${server.name} of an earlier start still runs on ${server.dataDir} (pid ${left.pid}, port ${left.port}): end that start, or the server by: kill ${left.pid}`,
    );
  }
  if (await takesConnections(server.port))
    throw new Error(`port ${server.port}, meant for ${server.name}, is taken by another program`);
}

function readPidFile(path: string): { pid: number; port: number } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { pid: number; port: number };
  } catch {
    return undefined; // none, or cut off by a crash
  }
}

/** Whether the process lives (signal 0) or was there to be signalled. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Whether anything listens on a port. */
export function takesConnections(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: CONNECT_MAX_MS });
    const answer = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket
      .once('connect', () => answer(true))
      .once('error', () => answer(false))
      .once('timeout', () => answer(false));
  });
}

function tailOf(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n');
}
