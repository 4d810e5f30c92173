import type { Contract, RequestOf, ResponseOf, RpcFault } from '#libs/contracts';
import { assertWaited, type Host, type Metrics, span, SpanKind, timeLeftMs, traceparent, Unavailable } from '#libs/runtime';
import { encode, safeDecode } from 'zod';
import type { Bus } from './bus.ts';

/** How long the asker waits for the answer from now on, milliseconds: no clocks need agree. */
export const TIME_LEFT_HEADER = 'Smspay-Time-Left-Ms';
export const TRACE_HEADER = 'traceparent';

/** How long an asker waits that does not say otherwise. */
export const TIMEOUT_MS = 5_000;
/** An answer longer ago says nothing of how the taker is now. */
const ANSWERED_LATELY_MS = 10_000;
/** Questions under way at once. More come only if an answer takes long, and would make it take longer. */
export const ASKED_MAX = 500;

/** The taker has a fault with just this question: it answers others. */
export class TakerFailed extends Error {
  constructor(subject: string) {
    super(`${subject}: the taker failed`);
    this.name = 'TakerFailed';
  }
}

/** What travels back. */
export type Reply = { ok: unknown } | { error: RpcFault };

/** The value of a message. Throws if it is no JSON; the engine's own words for that quote it. */
export function fromJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new SyntaxError('the message is no JSON');
  }
}

/** Asks other services. */
export class RpcClient {
  readonly #bus: Bus;
  readonly #host: Host;
  readonly #seconds: ReturnType<Metrics['histogram']>;
  /** When a question of each subject was last answered. */
  readonly #answeredAtMs = new Map<string, number>();
  #asked = 0;

  constructor(bus: Bus, host: Host, metrics: Metrics) {
    this.#bus = bus;
    this.#host = host;
    this.#seconds = metrics.histogram('smspay_rpc_seconds', 'Questions to other services, by their result', [
      'subject',
      'result',
    ]);
    metrics.gauge('smspay_rpc_asked', 'Questions to other services under way', () => this.#asked);
  }

  /** False while the bus is away: all that is asked then is `Unavailable`. */
  get connected(): boolean {
    return this.#bus.connected;
  }

  /**
   * Asks and waits for the answer, never longer than who waits for this process' own answer. Throws `Unavailable` or `TakerFailed`; both
   * leave open whether the taker did it, so ask again. Any other error is a fault of just this question, which was not sent.
   */
  async ask<C extends Contract>(contract: C, request: RequestOf<C>, timeoutMs = TIMEOUT_MS): Promise<ResponseOf<C>> {
    const beganMs = this.#host.monotonicMs();
    let result: 'ok' | RpcFault = 'unavailable';
    this.#asked++;
    try {
      const reply = await span(
        contract.subject,
        () => this.#send(contract.subject, encode(contract.request, request), timeoutMs),
        { kind: SpanKind.CLIENT },
      );
      if ('error' in reply) {
        result = reply.error;
        if (reply.error === 'unavailable') throw new Unavailable(contract.subject);
        throw this.#answersOthers(contract.subject)
          ? new TakerFailed(contract.subject)
          : new Unavailable(`${contract.subject}, whose taker fails each question,`);
      }
      this.#answeredAtMs.set(contract.subject, this.#host.monotonicMs());
      const response = safeDecode(contract.response, reply.ok);
      // A newer release answers what this one does not know: another taker, or a later release here, reads it.
      if (!response.success) throw new Unavailable(`${contract.subject} in words of this release`, { cause: response.error });
      result = 'ok';
      return response.data as ResponseOf<C>;
    } finally {
      this.#asked--;
      this.#seconds.observe({ subject: contract.subject, result }, (this.#host.monotonicMs() - beganMs) / 1000);
    }
  }

  // What fails each question is away, whatever it says of itself.
  #answersOthers(subject: string): boolean {
    return this.#host.monotonicMs() - (this.#answeredAtMs.get(subject) ?? -Infinity) <= ANSWERED_LATELY_MS;
  }

  async #send(subject: string, request: unknown, timeoutMs: number): Promise<Reply> {
    if (!this.#bus.connected) throw new Unavailable('NATS');
    if (this.#asked > ASKED_MAX) throw new Unavailable(`room for one more question, ${subject},`);
    assertWaited(subject);
    const body = JSON.stringify(request);
    const bytes = Buffer.byteLength(body);
    if (bytes > this.#bus.maxBytes) throw new Error(`${subject}: a question of ${bytes} bytes is more than NATS takes`);
    const leftMs = Math.ceil(Math.min(timeoutMs, timeLeftMs()));
    const trace = traceparent();
    const headers = { [TIME_LEFT_HEADER]: String(leftMs), ...(trace ? { [TRACE_HEADER]: trace } : {}) };
    const reply = await this.#bus.request(subject, body, { timeoutMs: leftMs, headers }).catch((error: unknown) => {
      throw new Unavailable(subject, { cause: error });
    });
    return fromJson(reply) as Reply;
  }
}
