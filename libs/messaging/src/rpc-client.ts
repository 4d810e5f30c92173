import type { Contract, RequestOf, ResponseOf, RpcFault } from '#libs/contracts';
import { type Host, type Metrics, span, SpanKind, traceparent } from '#libs/process';
import { decode, encode } from 'zod';
import type { Bus } from './bus.ts';
import { TakerFailed, Unavailable } from './faults.ts';

/** Past it the taker drops the request unread: epoch milliseconds. */
export const DEADLINE_HEADER = 'Smspay-Deadline';
export const TRACE_HEADER = 'traceparent';

const TIMEOUT_MS = 5_000;

/** What travels back. */
export type Reply = { ok: unknown } | { error: RpcFault };

/** Asks other services. */
export class RpcClient {
  readonly #bus: Bus;
  readonly #host: Host;
  readonly #seconds: ReturnType<Metrics['histogram']>;

  constructor(bus: Bus, host: Host, metrics: Metrics) {
    this.#bus = bus;
    this.#host = host;
    this.#seconds = metrics.histogram('smspay_rpc_seconds', 'Questions to other services, by their outcome', [
      'subject',
      'result',
    ]);
  }

  /** False while the bus is away: all that is asked then is `Unavailable`. */
  get connected(): boolean {
    return this.#bus.connected;
  }

  /** Asks and waits for the answer. Throws `Unavailable` or `TakerFailed`; both leave open whether the taker did it, so ask again. */
  async ask<C extends Contract>(contract: C, request: RequestOf<C>, timeoutMs = TIMEOUT_MS): Promise<ResponseOf<C>> {
    const beganMs = this.#host.monotonicMs();
    let result: 'ok' | RpcFault = 'unavailable';
    try {
      const reply = await span(
        contract.subject,
        () => this.#send(contract.subject, encode(contract.request, request), timeoutMs),
        { kind: SpanKind.CLIENT },
      );
      if ('error' in reply) {
        result = reply.error;
        throw reply.error === 'unavailable' ? new Unavailable(contract.subject) : new TakerFailed(contract.subject);
      }
      const response = decode(contract.response, reply.ok) as ResponseOf<C>;
      result = 'ok';
      return response;
    } finally {
      this.#seconds.observe({ subject: contract.subject, result }, (this.#host.monotonicMs() - beganMs) / 1000);
    }
  }

  async #send(subject: string, request: unknown, timeoutMs: number): Promise<Reply> {
    if (!this.#bus.connected) throw new Unavailable('NATS');
    const trace = traceparent();
    const headers = {
      [DEADLINE_HEADER]: String(this.#host.now().getTime() + timeoutMs),
      ...(trace ? { [TRACE_HEADER]: trace } : {}),
    };
    const reply = await this.#bus.request(subject, JSON.stringify(request), { timeoutMs, headers }).catch((error: unknown) => {
      throw new Unavailable(subject, { cause: error });
    });
    return JSON.parse(reply) as Reply;
  }
}
