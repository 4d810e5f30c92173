import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import type { INestApplication } from '@nestjs/common';

export interface SimulatedRequest {
  method: string;
  /** Path and query. */
  url: string;
  headers: Record<string, string>;
  body: string;
}

/**
 * Puts a request into a service as node's HTTP server would, and resolves with the status of its answer. Without sockets, and without a turn
 * of the real event loop (fastify's own `inject` takes some), so that it happens in virtual time.
 */
export function putIn(app: INestApplication, { method, url, headers, body }: SimulatedRequest): Promise<number> {
  const request = Object.assign(Readable.from([Buffer.from(body)], { objectMode: false }), {
    method,
    url,
    headers: { host: 'simulated', 'content-length': String(Buffer.byteLength(body)), ...headers },
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    socket: { remoteAddress: '127.0.0.1', encrypted: false },
    connection: { remoteAddress: '127.0.0.1' },
  });
  return new Promise((resolve) => app.getHttpServer().emit('request', request, new SimulatedResponse(resolve)));
}

/** What frameworks use of `http.ServerResponse`; of the answer only the status is kept. */
class SimulatedResponse extends EventEmitter {
  statusCode = 200;
  statusMessage = '';
  headersSent = false;
  writableEnded = false;
  finished = false;
  destroyed = false;
  sendDate = false;
  readonly #headers = new Map<string, unknown>();
  readonly #ended: (status: number) => void;

  constructor(ended: (status: number) => void) {
    super();
    this.#ended = ended;
  }

  setHeader(name: string, value: unknown): this {
    this.#headers.set(name.toLowerCase(), value);
    return this;
  }

  getHeader(name: string): unknown {
    return this.#headers.get(name.toLowerCase());
  }

  getHeaders(): Record<string, unknown> {
    return Object.fromEntries(this.#headers);
  }

  hasHeader(name: string): boolean {
    return this.#headers.has(name.toLowerCase());
  }

  removeHeader(name: string): void {
    this.#headers.delete(name.toLowerCase());
  }

  writeHead(status: number): this {
    this.statusCode = status;
    this.headersSent = true;
    return this;
  }

  write(): boolean {
    return true;
  }

  end(): this {
    this.headersSent = true;
    this.writableEnded = true;
    this.finished = true;
    this.emit('finish');
    this.#ended(this.statusCode);
    return this;
  }
}
