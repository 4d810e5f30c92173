import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type CustomTransportStrategy, MessagePattern, Server } from '@nestjs/microservices';
import type { Contract } from '#libs/contracts';
import { log, span, SpanKind } from '#libs/process';
import type { Msg, Subscription } from '@nats-io/transport-node';
import { lastValueFrom, throwError } from 'rxjs';
import { decode, encode, ZodError } from 'zod';
import { faultOf, Unavailable } from './faults.ts';
import type { NatsLink } from './nats-link.ts';
import { DEADLINE_HEADER, type Reply, TRACE_HEADER } from './rpc-client.ts';

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

const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** Request and reply over NATS in a queue group per service. It drains: what arrived is answered before it closes. */
export class RpcServer extends Server implements CustomTransportStrategy {
  override readonly transportId = RPC_TRANSPORT;
  readonly #link: NatsLink;
  readonly #queue: string;
  readonly #subscriptions: Subscription[] = [];
  readonly #inFlight = new Set<Promise<void>>();

  constructor(link: NatsLink, queue: string) {
    super();
    this.#link = link;
    this.#queue = queue;
  }

  /** Returns at once: the subscriptions are made when NATS is there, and made again at each reconnect by the client. */
  listen(listening: () => void): void {
    void this.#link.open().then((connection) => {
      for (const [subject, handler] of this.messageHandlers) {
        const contract = handler.extras?.['contract'] as Contract;
        const answer = async (request: unknown) => lastValueFrom(this.transformToObservable(await handler(request)));
        this.#subscriptions.push(
          connection.subscribe(subject, {
            queue: this.#queue,
            callback: (error, message) =>
              error ? log.error({ err: error, subject }, 'NATS subscription') : this.#take(contract, answer, message),
          }),
        );
      }
    });
    listening();
  }

  #take(contract: Contract, answer: (request: unknown) => Promise<unknown>, message: Msg): void {
    // Its asker has given up and asks again: unread.
    if (Number(message.headers?.get(DEADLINE_HEADER)) < Date.now()) return;
    const work: Promise<void> = span(contract.subject, () => this.#reply(contract, answer, message), {
      kind: SpanKind.SERVER,
      parent: message.headers?.get(TRACE_HEADER),
    }).finally(() => this.#inFlight.delete(work));
    this.#inFlight.add(work);
  }

  async #reply(contract: Contract, answer: (request: unknown) => Promise<unknown>, message: Msg): Promise<void> {
    let reply: Reply;
    try {
      const request = decode(contract.request, JSON.parse(text.decoder.decode(message.data)));
      reply = { ok: encode(contract.response, await answer(request)) };
    } catch (error) {
      const fault = isUnknownType(error) ? 'unavailable' : faultOf(error);
      if (!(error instanceof Unavailable))
        log.error({ err: error, subject: contract.subject, fault }, 'a request was not answered');
      reply = { error: fault };
    }
    message.respond(text.encoder.encode(JSON.stringify(reply)));
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
    return this.#link as T;
  }
}

// A newer release may ask what this one does not know yet: it waits (design.md, "Each release reads what the next one writes").
function isUnknownType(error: unknown): boolean {
  return error instanceof ZodError && error.issues.some((issue) => issue.code === 'invalid_union' && issue.errors.length === 0);
}
