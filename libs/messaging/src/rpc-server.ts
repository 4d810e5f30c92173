import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type CustomTransportStrategy, MessagePattern, Server } from '@nestjs/microservices';
import type { Contract } from '#libs/contracts';
import { faultOf } from '#libs/mongo';
import { assertWaited, type Host, log, type Metrics, NobodyWaits, span, SpanKind, Unavailable, within } from '#libs/runtime';
import { lastValueFrom, throwError } from 'rxjs';
import { decode, encode, ZodError } from 'zod';
import type { Bus, BusRequest, BusSubscription } from './bus.ts';
import { fromJson, type Reply, TIME_LEFT_HEADER, TIMEOUT_MS, TRACE_HEADER } from './rpc-client.ts';

/** Our transport, so that a handler registers on it alone. */
export const RPC_TRANSPORT = Symbol('smspay rpc');

/** Marks the handler of a contract: `MessagePattern` with our transport and the contract filled in. */
export const Answers = (contract: Contract): MethodDecorator => MessagePattern(contract.subject, RPC_TRANSPORT, { contract });

/** Hands the exception on to `RpcServer`, which logs it once; Nest's own filter would hide it there. */
export class PassOn implements ExceptionFilter {
  catch(exception: unknown) {
    return throwError(() => exception);
  }
}
// Not as a decorator, so that tools can run this file as it is.
Catch()(PassOn);

/** Requests in work at once. Who asks more is told so at once, and asks again. */
export const TAKEN_MAX = 200;

/** Request and reply over the bus in a queue group per service. It drains: what arrived is answered before it closes. */
export class RpcServer extends Server implements CustomTransportStrategy {
  override readonly transportId = RPC_TRANSPORT;
  readonly #bus: Bus;
  readonly #queue: string;
  readonly #host: Host;
  readonly #subscriptions: BusSubscription[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #dropped: ReturnType<Metrics['counter']>;

  constructor(bus: Bus, queue: string, host: Host, metrics: Metrics) {
    super();
    this.#bus = bus;
    this.#queue = queue;
    this.#host = host;
    this.#dropped = metrics.counter(
      'smspay_rpc_dropped_total',
      'Requests of other services that were not carried out: too many at once (full), or nobody waited any more (late)',
      ['subject', 'reason'],
    );
    metrics.gauge('smspay_rpc_taken', 'Requests of other services in work', () => this.#inFlight.size);
  }

  /** Returns at once: the subscriptions are made when the bus is there. */
  listen(listening: () => void): void {
    void this.#bus.open().then(() => {
      for (const [subject, handler] of this.messageHandlers) {
        const contract = handler.extras?.['contract'] as Contract;
        const answer = async (request: unknown) => lastValueFrom(this.transformToObservable(await handler(request)));
        this.#subscriptions.push(this.#bus.subscribe(subject, this.#queue, (request) => this.#take(contract, answer, request)));
      }
    });
    listening();
  }

  #take(contract: Contract, answer: (request: unknown) => Promise<unknown>, asked: BusRequest): void {
    if (this.#inFlight.size >= TAKEN_MAX) {
      this.#drop(contract.subject, 'full');
      return this.#respond(asked, { error: 'unavailable' });
    }
    const leftMs = Number(asked.headers[TIME_LEFT_HEADER] ?? TIMEOUT_MS);
    const work: Promise<void> = within(this.#host, leftMs, () =>
      span(contract.subject, async () => this.#respond(asked, await this.#replyTo(contract, answer, asked)), {
        kind: SpanKind.SERVER,
        parent: asked.headers[TRACE_HEADER],
      }),
    ).finally(() => this.#inFlight.delete(work));
    this.#inFlight.add(work);
    return undefined;
  }

  async #replyTo(contract: Contract, answer: (request: unknown) => Promise<unknown>, asked: BusRequest): Promise<Reply> {
    try {
      assertWaited(contract.subject);
      const request = decode(contract.request, fromJson(asked.body));
      return { ok: encode(contract.response, await answer(request)) };
    } catch (error) {
      const fault = isUnknownType(error) ? 'unavailable' : faultOf(error);
      if (error instanceof NobodyWaits) this.#drop(contract.subject, 'late');
      else if (!(error instanceof Unavailable))
        log.error({ err: error, subject: contract.subject, fault }, 'a request was not answered');
      return { error: fault };
    }
  }

  /** Whatever cannot be sent back is the end of that request alone. */
  #respond(asked: BusRequest, reply: Reply): void {
    const { subject } = asked;
    try {
      const body = JSON.stringify(reply);
      const bytes = Buffer.byteLength(body);
      const fits = bytes <= this.#bus.maxBytes;
      if (!fits) log.error({ subject, bytes, maxBytes: this.#bus.maxBytes }, 'an answer is too long for NATS');
      asked.respond(fits ? body : JSON.stringify({ error: 'failed' } satisfies Reply));
    } catch (error) {
      log.warn({ err: error, subject }, 'an answer could not be sent; its asker asks again');
    }
  }

  #drop(subject: string, reason: 'full' | 'late'): void {
    this.#dropped.inc({ subject, reason });
    log.warn({ subject, reason }, 'a request was not carried out');
  }

  /** Takes no new request, and resolves when those taken are answered. */
  async drain(): Promise<void> {
    await Promise.all(this.#subscriptions.splice(0).map((subscription) => subscription.drain().catch(() => undefined)));
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  close(): Promise<void> {
    return this.drain();
  }

  on(): never {
    throw new Error('RpcServer has no events');
  }

  unwrap<T>(): T {
    return this.#bus as T;
  }
}

// A newer release may ask what this one does not know yet: it waits (docs/design.md, "Each release reads what the next one writes").
function isUnknownType(error: unknown): boolean {
  return error instanceof ZodError && error.issues.some((issue) => issue.code === 'invalid_union' && issue.errors.length === 0);
}
