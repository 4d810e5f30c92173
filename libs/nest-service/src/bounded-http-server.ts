import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { parse } from 'node:querystring';
import type { Duplex } from 'node:stream';
import type { Host, Metrics } from '#libs/runtime';

const FORM = 'application/x-www-form-urlencoded';
/**
 * The provider's largest form has 23 KiB: 1,600 characters of text, each up to 12 bytes once encoded (an emoji), ten media URLs with their
 * types, two dozen short fields (twilio.com/docs/messaging/guides/webhook-request). It adds fields without notice.
 */
const BODY_MAX_BYTES = 32 * 1024;
/** The same form has some fifty. The signature is over all of them, sorted. */
const FIELDS_MAX = 200;

/** A phone's network is not between us and who posts, but the provider or a proxy: those send what they have at once. */
const HEADERS_MAX_MS = 5_000;
/** What is not whole by then is not answered within the 15 s of the provider's patience. */
const REQUEST_MAX_MS = 10_000;
/** Longer than that patience: nothing moves on this connection any more. */
const SILENCE_MAX_MS = 20_000;
/** Longer than the 60 s for which proxies keep an idle connection (nginx, cloud balancers): it must be they who close it. */
const KEPT_MS = 72_000;
const LOOK_MS = 1_000;

/** An honest request is whole within milliseconds, so so many never wait at once. With a full body each they hold 100 MB of a pod's 384. */
const UNFINISHED_MAX = 2_000;
/** So many more may be answered, or be kept by proxies. */
const CONNECTIONS_MAX = UNFINISHED_MAX + 1_000;
/**
 * node accepts one connection in a turn of its event loop. In the 511 places that it asks for by itself a crowd leaves no room, and who comes
 * then tries again after seconds.
 */
const BACKLOG = CONNECTIONS_MAX;

/** Requests are still answered for so long after the begin of a stop. */
const LAME_DUCK_MS = 500;
/** Who sent a part of a request then has so long to send the rest. */
const STOP_UNFINISHED_MS = 2_000;
/** And who sent all of it waits for an answer no longer than the provider does. */
const STOP_ANSWERS_MS = 15_000;

/** Why a request or a connection was refused, for the metric, by the status of the answer. Those without a true signature have one of their own. */
const REASONS: Record<number, string> = {
  400: 'malformed',
  404: 'not_found',
  408: 'slow',
  413: 'too_large',
  415: 'no_form',
  431: 'too_large',
};

/** Where and how a service listens; what `server.listen` takes. */
export const listenAt = (port: number) => ({ port, host: '0.0.0.0', backlog: BACKLOG });

/**
 * The HTTP server of node, with a bound on everything that somebody can make it do before a signature is looked at, the same for each
 * framework behind it. It reads bodies itself: a form becomes `request.body`, anything else is answered 413 or 415. What it refuses it counts
 * and does not log.
 */
export class BoundedHttpServer {
  readonly #refusedTotal;
  /** Connections whose request is not whole yet, who waits longest first. */
  readonly #unfinished = new Set<Socket>();
  /** Connections on which a request is under way. */
  readonly #busy = new WeakSet<Socket>();

  constructor(metrics: Metrics) {
    this.#refusedTotal = metrics.counter(
      'smspay_http_refused_total',
      'Requests and connections refused before anything was done for them',
      ['why'],
    );
  }

  /** The server, in front of a framework's handler. */
  serve(handler: RequestListener): Server {
    const options = {
      headersTimeout: HEADERS_MAX_MS,
      requestTimeout: REQUEST_MAX_MS,
      keepAliveTimeout: KEPT_MS,
      connectionsCheckingInterval: LOOK_MS,
    };
    const server = createServer(options, (request, response) => this.#take(request, response, handler));
    server.timeout = SILENCE_MAX_MS;
    server.maxConnections = CONNECTIONS_MAX;
    server.on('connection', (socket) => this.#welcome(socket));
    server.on('drop', () => {
      this.#refusedTotal.inc({ why: 'crowded' });
      // Whoever keeps them for later is not worth more than who comes now.
      server.closeIdleConnections();
    });
    server.on('clientError', (error, socket) => this.#refuseUnread(error, socket));
    return server;
  }

  /**
   * Requests are still answered for a moment, each with `Connection: close`, so that no client sends one on a connection that is closing
   * (RFC 9112, 9.6); then no new connection, and when what is under way is answered, the end. Who does not let it come to an end is cut off.
   */
  async close(server: Server, host: Host): Promise<void> {
    server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
    await host.sleep(LAME_DUCK_MS);
    if (!server.listening) return;
    await new Promise<void>((resolve) => {
      // From here on node no longer looks at its time-outs.
      const timers = [
        setInterval(() => server.closeIdleConnections(), 50),
        setTimeout(() => this.#unfinished.forEach((socket) => socket.destroy()), STOP_UNFINISHED_MS),
        setTimeout(() => server.closeAllConnections(), STOP_ANSWERS_MS),
      ];
      server.close(() => {
        timers.forEach(clearTimeout);
        resolve();
      });
    });
  }

  /** One more than there is room for closes who waits longest: so a crowd that never finishes keeps nobody out who does. */
  #welcome(socket: Socket): void {
    this.#unfinished.add(socket);
    socket.once('close', () => this.#unfinished.delete(socket));
    const [longest] = this.#unfinished;
    if (this.#unfinished.size <= UNFINISHED_MAX || !longest) return;
    this.#unfinished.delete(longest);
    longest.destroy();
    this.#refusedTotal.inc({ why: 'crowded' });
  }

  #take(request: IncomingMessage, response: ServerResponse, handler: RequestListener): void {
    const { socket } = request;
    // Who sends one request before the answer to another could have thousands begun in one piece of the network's; proxies and Twilio do not.
    if (this.#busy.has(socket)) {
      if (!socket.destroyed) this.#refusedTotal.inc({ why: 'early' });
      return void socket.destroy();
    }
    this.#busy.add(socket);
    response.once('close', () => this.#busy.delete(socket));
    this.#closeAfterRefusal(response);
    // An absolute target is as good (RFC 9112, 3.2.2); its host counts as little as the header that names one.
    request.url = request.url?.replace(/^https?:\/\/[^/?#]+\/?/i, '/');
    if (!request.url?.startsWith('/')) return answer(response, 400);
    const { 'content-length': length, 'content-type': type = '', ...others } = request.headers;
    if (!('transfer-encoding' in others) && Number(length ?? 0) === 0) {
      this.#unfinished.delete(socket);
      return handler(request, response);
    }
    if (type.split(';', 1)[0]?.trim().toLowerCase() !== FORM || 'content-encoding' in others) return answer(response, 415);
    const maxBytes = Number(length ?? BODY_MAX_BYTES);
    if (maxBytes > BODY_MAX_BYTES) return answer(response, 413);
    this.#unfinished.add(socket);
    this.#read(request, maxBytes, (body) => {
      this.#unfinished.delete(socket);
      if (!body) return answer(response, 413);
      return handler(Object.assign(request, { body }), response);
    });
  }

  /** Reads a form; undefined if it is too large. Never calls back if the rest does not come: then nobody waits for an answer either. */
  #read(request: IncomingMessage, maxBytes: number, done: (form: ReturnType<typeof parse> | undefined) => void): void {
    // One piece from the beginning: as a list of pieces of a byte each, it would take three hundred times its size.
    const body = Buffer.allocUnsafe(maxBytes);
    let bytes = 0;
    request.on('data', (piece: Buffer) => {
      if (bytes + piece.length <= maxBytes) bytes += piece.copy(body, bytes);
      else {
        request.removeAllListeners('data').removeAllListeners('end');
        done(undefined);
      }
    });
    request.once('end', () => done(formOf(body.toString('utf8', 0, bytes))));
  }

  /** A connection is kept for who asks for what there is: else anybody could hold them all, idle. */
  #closeAfterRefusal(response: ServerResponse): void {
    const writeHead = response.writeHead.bind(response) as (status: number, ...rest: unknown[]) => ServerResponse;
    response.writeHead = (status: number, ...rest: unknown[]) => {
      if (status >= 400) response.setHeader('Connection', 'close');
      this.#count(status);
      return writeHead(status, ...rest);
    };
  }

  /** What node could not read, or did not get in time. */
  #refuseUnread(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400;
    this.#count(status);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
  }

  #count(status: number): void {
    const why = REASONS[status];
    if (why) this.#refusedTotal.inc({ why });
  }
}

/** The fields of a form; undefined if there are too many. */
function formOf(body: string): ReturnType<typeof parse> | undefined {
  return body.split('&', FIELDS_MAX + 1).length > FIELDS_MAX ? undefined : parse(body, '&', '=', { maxKeys: 0 });
}

function answer(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ statusCode: status, message: STATUS_CODES[status] }));
}
