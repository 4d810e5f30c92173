import type { FastifyReply } from 'fastify';
import type { Live } from './live.ts';

/** The open pages: each gets what changes as server-sent events. */
export class Pages {
  readonly #open = new Set<FastifyReply>();

  get areOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Keeps the answer open and begins it with `first`. */
  add(reply: FastifyReply, first: Live): void {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    reply.raw.write(eventOf(first));
    this.#open.add(reply);
    reply.raw.once('close', () => this.#open.delete(reply));
  }

  tell(live: Live): void {
    for (const reply of this.#open) reply.raw.write(eventOf(live));
  }

  close(): void {
    for (const reply of this.#open) reply.raw.end();
  }
}

const eventOf = (live: Live) => `data: ${JSON.stringify(live)}\n\n`;
