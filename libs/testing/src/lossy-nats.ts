import { createServer, type Server, type Socket, connect as dial } from 'node:net';
import { seededRandom } from './random.ts';

/** The frames that carry a message; all others are one line (docs.nats.io, "Client Protocol"). */
const WITH_PAYLOAD = /^(?:PUB|HPUB|MSG|HMSG) .*?(\d+)$/;

/** Stands between services and NATS and loses messages at random, requests and replies alike; all else passes. */
export class LossyNats {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The part of messages that is lost. */
  loss: number;
  lost = 0;

  private constructor(natsPort: number, loss: number, random: () => number) {
    this.loss = loss;
    const pass = (from: Socket, to: Socket, loses: boolean) => {
      const frames = new Frames();
      from.on('data', (data) => {
        for (const { frame, isMessage } of frames.take(data)) {
          if (loses && isMessage && random() < this.loss) this.lost++;
          else to.write(frame);
        }
      });
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      this.#sockets.add(from);
      from.on('close', () => this.#sockets.delete(from));
    };
    this.#server = createServer((client) => {
      const nats = dial(natsPort, '127.0.0.1');
      // On the way in only: so each request and each reply is lost with the same chance, once.
      pass(client, nats, true);
      pass(nats, client, false);
    });
  }

  static async start(natsPort: number, loss: number, seed: number): Promise<LossyNats> {
    const proxy = new LossyNats(natsPort, loss, seededRandom(seed));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    return `nats://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Cuts a stream of NATS's protocol into its frames. */
class Frames {
  #rest = Buffer.alloc(0);

  take(data: Buffer): { frame: Buffer; isMessage: boolean }[] {
    this.#rest = Buffer.concat([this.#rest, data]);
    const frames: { frame: Buffer; isMessage: boolean }[] = [];
    for (;;) {
      const lineEnd = this.#rest.indexOf('\r\n');
      if (lineEnd < 0) return frames;
      const payload = WITH_PAYLOAD.exec(this.#rest.toString('latin1', 0, lineEnd));
      const length = lineEnd + 2 + (payload ? Number(payload[1]) + 2 : 0);
      if (this.#rest.length < length) return frames;
      frames.push({ frame: this.#rest.subarray(0, length), isMessage: payload !== null });
      this.#rest = this.#rest.subarray(length);
    }
  }
}
