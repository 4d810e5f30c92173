import { argon2, type Argon2Parameters, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * The machine beneath a process: its clocks, its timers, its randomness. Nothing else in a service takes them, so that a simulation can
 * give its own.
 */
export abstract class Host {
  /** The wall clock. It may be wrong, and it may jump. */
  abstract now(): Date;
  /** A clock that only goes on, at its own pace and from any beginning, milliseconds. */
  abstract monotonicMs(): number;
  /** Waits; ends early, without an error, when `signal` is aborted. */
  abstract sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** In [0, 1): to spread what would else happen at once. Never for a secret. */
  abstract random(): number;
  /** Bytes that nobody can guess. */
  abstract randomBytes(size: number): Buffer;
  /** The slow hash of a secret that can be guessed (RFC 9106), off the event loop. */
  abstract argon2id(parameters: Argon2Parameters): Promise<Buffer>;
}

const argon2Of = promisify(argon2);

/** The machine that Node.js runs on. */
export const realHost = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) =>
    pause(ms, undefined, signal && { signal }).catch((error: unknown) => {
      if (!signal?.aborted) throw error;
    }),
  random: () => Math.random(),
  randomBytes: (size: number) => randomBytes(size),
  argon2id: (parameters: Argon2Parameters) => argon2Of('argon2id', parameters),
} satisfies Host;
