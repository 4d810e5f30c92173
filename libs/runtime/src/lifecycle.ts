import type { Host } from './host.ts';
import { log } from './logging.ts';

/** Whether the process takes work, and what it still does. One per process. */
export class Lifecycle {
  readonly #host: Host;
  readonly #stopping = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** False from the first moment of shutdown. */
  get accepting(): boolean {
    return !this.#stopping.signal.aborted;
  }

  /** Work that goes on after its caller was answered; the stop waits for it. Its errors are its own business: they are logged here as the last resort. */
  track(work: Promise<unknown>): void {
    const tracked: Promise<unknown> = work
      .catch((error: unknown) => log.error({ err: error }, 'work in the background failed'))
      .finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  /** Does `work` again and again until the stop, each time after a wait. `work` sees to its own errors. */
  repeat(waitMs: () => number, work: () => Promise<void> | void): void {
    const loop = async () => {
      for (;;) {
        await this.#host.sleep(waitMs(), this.#stopping.signal);
        if (!this.accepting) return;
        await work();
      }
    };
    this.track(loop());
  }

  /** From now on not ready, and no loop begins new work. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Resolves when nothing tracked is under way. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }
}
