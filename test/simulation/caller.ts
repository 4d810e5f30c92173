/** How a call outside ended. */
export type Outcome<T> = { value: T } | { error: Error };

/** A process as the world outside sees it: who calls, and whether anybody is still there to be answered. */
export interface Caller {
  /** `wallet-1` */
  readonly name: string;
  /**
   * One thing asked of the world outside: the store, the bus, the provider. `serve` runs there after a while, whatever becomes of the
   * caller meanwhile, and answers once, at once or later; the answer comes back after a while. Whoever was killed never hears it, whoever
   * is paused hears it later. Before it is asked and before its answer is heard are the places at which a process dies.
   */
  call<T>(what: string, serve: (answer: (outcome: Outcome<T>) => void) => void): Promise<T>;
  /** Waits in virtual time. */
  sleep(ms: number): Promise<void>;
}
