import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type CustomTransportStrategy, MessagePattern, Server } from '@nestjs/microservices';
import type { Contract } from '#libs/contracts';
import { faultOf } from '#libs/mongo';
import { type Host, log, span, SpanKind, Unavailable } from '#libs/runtime';
import { lastValueFrom, throwError } from 'rxjs';
import { decode, encode, ZodError } from 'zod';
import type { Bus, BusRequest, BusSubscription } from './bus.ts';
import { DEADLINE_HEADER, fromJson, type Reply, TRACE_HEADER } from './rpc-client.ts';

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

/** Request and reply over the bus in a queue group per service. It drains: what arrived is answered before it closes. */
export class RpcServer extends Server implements CustomTransportStrategy {
  override readonly transportId = RPC_TRANSPORT;
  readonly #bus: Bus;
  readonly #queue: string;
  readonly #host: Host;
  readonly #subscriptions: BusSubscription[] = [];
  readonly #inFlight = new Set<Promise<void>>();

  constructor(bus: Bus, queue: string, host: Host) {
    super();
    this.#bus = bus;
    this.#queue = queue;
    this.#host = host;
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
    // Its asker has given up and asks again: unread.
    if (Number(asked.headers[DEADLINE_HEADER]) < this.#host.now().getTime()) return;
    const work: Promise<void> = span(contract.subject, () => this.#reply(contract, answer, asked), {
      kind: SpanKind.SERVER,
      parent: asked.headers[TRACE_HEADER],
    }).finally(() => this.#inFlight.delete(work));
    this.#inFlight.add(work);
  }

  async #reply(contract: Contract, answer: (request: unknown) => Promise<unknown>, asked: BusRequest): Promise<void> {
    let reply: Reply;
    try {
      const request = decode(contract.request, fromJson(asked.body));
      reply = { ok: encode(contract.response, await answer(request)) };
    } catch (error) {
      const fault = isUnknownType(error) ? 'unavailable' : faultOf(error);
      if (!(error instanceof Unavailable))
        log.error({ err: error, subject: contract.subject, fault }, 'a request was not answered');
      reply = { error: fault };
    }
    asked.respond(JSON.stringify(reply));
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

// A newer release may ask what this one does not know yet: it waits (design.md, "Each release reads what the next one writes").
function isUnknownType(error: unknown): boolean {
  return error instanceof ZodError && error.issues.some((issue) => issue.code === 'invalid_union' && issue.errors.length === 0);
}
