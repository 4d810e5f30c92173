import { connect as dial, createServer, type Server, type Socket } from 'node:net';
import { mongo } from 'mongoose';

/** A command of a client, and whether the driver would send it again under its transaction number. */
export interface WireCommand {
  name: string;
  retries: boolean;
}

/**
 * What becomes of a command: it passes; the connection breaks before the server has it, or instead of its reply; it is answered here; or the
 * server's reply gets other fields (`undefined`: it loses one).
 */
export type Fate = 'passes' | 'is cut off' | 'loses its reply' | { is: object } | { gets: Record<string, unknown> };

const HEADER_BYTES = 16;
const OP_MSG = 2013;
/** Header, flags and the kind of the first section; then comes the document (MongoDB wire protocol). */
const DOCUMENT_AT = HEADER_BYTES + 4 + 1;

/** Stands between the driver and a server, so that faults look to the real driver as they do on the wire. */
export class WireProxy {
  fateOf: (command: WireCommand) => Fate = () => 'passes';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(serverPort: number) {
    this.#server = createServer((client) => {
      const server = dial(serverPort, '127.0.0.1');
      let fate: Fate = 'passes';
      onMessages(client, (message) => {
        const command = commandOf(message);
        fate = command ? this.fateOf(command) : 'passes';
        if (fate === 'is cut off') client.destroy();
        else if (typeof fate === 'object' && 'is' in fate) client.write(replyTo(message.readInt32LE(4), fate.is));
        else server.write(message);
      });
      onMessages(server, (message) => {
        if (fate === 'loses its reply') client.destroy();
        else if (typeof fate === 'object' && 'gets' in fate)
          client.write(replyTo(message.readInt32LE(8), changed(message, fate.gets)));
        else client.write(message);
      });
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          other.destroy();
          this.#sockets.delete(one);
        });
      }
    });
  }

  static async start(serverPort: number): Promise<WireProxy> {
    const proxy = new WireProxy(serverPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Nobody listens any more. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function onMessages(socket: Socket, take: (message: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
      const message = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(message.length);
      take(message);
    }
  });
}

/** The greeting of the driver comes in an older kind of message, and has no fate. */
function commandOf(message: Buffer): WireCommand | undefined {
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  const document = documentIn(message);
  return { name: Object.keys(document)[0] ?? '', retries: 'txnNumber' in document };
}

const documentIn = (message: Buffer) =>
  mongo.BSON.deserialize(message.subarray(DOCUMENT_AT, DOCUMENT_AT + message.readInt32LE(DOCUMENT_AT)), { promoteValues: false });

const changed = (message: Buffer, fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries({ ...documentIn(message), ...fields }).filter(([, value]) => value !== undefined));

function replyTo(request: number, document: object): Buffer {
  const body = mongo.BSON.serialize(document);
  const head = Buffer.alloc(DOCUMENT_AT);
  head.writeInt32LE(DOCUMENT_AT + body.length, 0);
  head.writeInt32LE(request, 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
}
