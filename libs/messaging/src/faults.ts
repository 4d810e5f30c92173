import type { RpcFault } from '#libs/contracts';
import { isDatabaseOutage } from '#libs/mongo';

/** Nothing was decided: NATS, the taker or its database did not answer. Asking again later helps, and it counts as no try. */
export class Unavailable extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`${what} is unavailable`, options);
    this.name = 'Unavailable';
  }
}

/** The taker has a fault with just this question: it answers others. */
export class TakerFailed extends Error {
  constructor(subject: string) {
    super(`${subject}: the taker failed`);
    this.name = 'TakerFailed';
  }
}

/** What an exception says to the asker (design.md, "Redrive"): an outage is passed on unchanged, all else is a fault of this one. */
export function faultOf(error: unknown): RpcFault {
  return error instanceof Unavailable || isDatabaseOutage(error) ? 'unavailable' : 'failed';
}
