import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A program of the bench in a process of its own, which does one order at a time and answers it. It ends with this process. */
export class Helper<Order extends object> {
  readonly #name: string;
  readonly #child: ChildProcess;

  /** `file` is one beside this one. */
  constructor(file: string, env: Record<string, string> = {}) {
    this.#name = file;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), { env: { ...process.env, ...env } });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whoever asks knows what the program answers to this order. Throws if the program ends instead. */
  async ask<Answer>(order: Order): Promise<Answer> {
    this.#child.send(order);
    return this.hears<Answer>();
  }

  /** What the program says next by itself. */
  async hears<Answer>(): Promise<Answer> {
    const waiting = new AbortController();
    const { signal } = waiting;
    try {
      return await Promise.race([
        once(this.#child, 'message', { signal }).then(([answer]) => answer as Answer),
        once(this.#child, 'exit', { signal }).then(([code]) => {
          throw new Error(`bench/${this.#name} ended with ${code}`);
        }),
      ]);
    } finally {
      waiting.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
