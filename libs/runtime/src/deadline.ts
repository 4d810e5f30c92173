import { AsyncLocalStorage } from 'node:async_hooks';
import type { Host } from './host.ts';
import { Unavailable } from './unavailable.ts';

/** Until when somebody waits for what runs now, by the monotonic clock of this host: clocks of two hosts need not agree. */
const waited = new AsyncLocalStorage<{ host: Host; untilMs: number }>();

/** Whoever asked for it has given up and asks again: it was not begun. */
export class NobodyWaits extends Unavailable {
  constructor(what: string) {
    super(`${what}, for which nobody waits any more,`);
    this.name = 'NobodyWaits';
  }
}

/** Does `work` for somebody who waits for `ms` from now, or less if who asked for this waits less. */
export function within<T>(host: Host, ms: number, work: () => T): T {
  return waited.run({ host, untilMs: host.monotonicMs() + Math.min(ms, timeLeftMs()) }, work);
}

/** Does `work` for nobody in particular: it has all the time that it takes. */
export function unhurried<T>(work: () => T): T {
  return waited.exit(work);
}

/** How long somebody still waits for what runs now, milliseconds; infinite where nobody in particular does. */
export function timeLeftMs(): number {
  const waiting = waited.getStore();
  return waiting ? waiting.untilMs - waiting.host.monotonicMs() : Infinity;
}

/** Before work begins: throws `NobodyWaits` if it would be for nobody. */
export function assertWaited(what: string): void {
  if (timeLeftMs() <= 0) throw new NobodyWaits(what);
}
