import type { Contract, RequestOf, ResponseOf, RpcFault } from '#libs/contracts';
import { histogram, span, SpanKind, traceparent } from '#libs/process';
import { headers } from '@nats-io/transport-node';
import { decode, encode } from 'zod';
import { TakerFailed, Unavailable } from './faults.ts';
import type { NatsLink } from './nats-link.ts';

/** Past it the taker drops the request unread: epoch milliseconds. */
export const DEADLINE_HEADER = 'Smspay-Deadline';
export const TRACE_HEADER = 'traceparent';

const TIMEOUT_MS = 5_000;
const rpcSeconds = histogram('smspay_rpc_seconds', 'Questions to other services, by their outcome', ['subject', 'result']);
const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** What travels back. */
export type Reply = { ok: unknown } | { error: RpcFault };

/** Asks other services. */
export class RpcClient {
  readonly #link: NatsLink;
  constructor(link: NatsLink) {
    this.#link = link;
  }

  /** False while NATS is away: all that is asked then is `Unavailable`. */
  get connected(): boolean {
    return this.#link.connection !== undefined;
  }

  /** Asks and waits for the answer. Throws `Unavailable` or `TakerFailed`; both leave open whether the taker did it, so ask again. */
  async ask<C extends Contract>(contract: C, request: RequestOf<C>, timeoutMs = TIMEOUT_MS): Promise<ResponseOf<C>> {
    const end = rpcSeconds.startTimer({ subject: contract.subject });
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
      end({ result });
    }
  }

  async #send(subject: string, request: unknown, timeoutMs: number): Promise<Reply> {
    const connection = this.#link.connection;
    if (!connection) throw new Unavailable('NATS');
    const sent = headers();
    sent.set(DEADLINE_HEADER, String(Date.now() + timeoutMs));
    const trace = traceparent();
    if (trace) sent.set(TRACE_HEADER, trace);
    const message = await connection
      .request(subject, text.encoder.encode(JSON.stringify(request)), { timeout: timeoutMs, headers: sent })
      .catch((error: unknown) => {
        throw new Unavailable(subject, { cause: error });
      });
    return JSON.parse(text.decoder.decode(message.data)) as Reply;
  }
}
