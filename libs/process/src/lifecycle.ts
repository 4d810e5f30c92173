import { log } from './logging.ts';

/** Whether the process takes work, and what it still does. One per process. */
export class Lifecycle {
  #stopping = false;
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #stoppers: (() => void | Promise<void>)[] = [];

  /** False from the first moment of shutdown. */
  get accepting(): boolean {
    return !this.#stopping;
  }

  /** Work that goes on after its caller was answered; the stop waits for it. Its errors are its own business: they are logged here as the last resort. */
  track(work: Promise<unknown>): void {
    const tracked: Promise<unknown> = work
      .catch((error: unknown) => log.error({ err: error }, 'work in the background failed'))
      .finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  /** What ends a loop that starts new work. */
  onStop(stopper: () => void | Promise<void>): void {
    this.#stoppers.push(stopper);
  }

  /** From now on not ready, and no loop starts new work. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#stoppers.map((stopper) => stopper()));
  }

  /** Resolves when nothing tracked is under way. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }
}
