import { connect as dial, createServer, type Server, type Socket } from 'node:net';
import { seededRandom } from './lossy-nats.ts';

const WRITES = new Set(['insert', 'update']);
/** Header, flag bits, section kind and document length of an OP_MSG, and the type of its first element, whose name is the command (MongoDB wire protocol). */
const COMMAND_AT = 16 + 4 + 1 + 4 + 1;

/** Stands between services and MongoDB. Some writes reach the database, and their replies are lost with the connection. */
export class LossyMongo {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  lost = 0;

  private constructor(mongoPort: number, part: number, random: () => number) {
    this.#server = createServer((client) => {
      const mongo = dial(mongoPort, '127.0.0.1');
      let loseNext = false;
      let rest = Buffer.alloc(0);
      client.on('data', (data) => {
        rest = Buffer.concat([rest, data]);
        while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
          const message = rest.subarray(0, rest.readInt32LE(0));
          rest = rest.subarray(message.length);
          loseNext ||= WRITES.has(commandOf(message)) && random() < part;
          mongo.write(message);
        }
      });
      mongo.on('data', (data) => {
        // The database has answered, so it has the write; the asker will never know.
        if (loseNext) {
          this.lost++;
          client.destroy();
        } else client.write(data);
      });
      for (const [one, other] of [
        [client, mongo],
        [mongo, client],
      ] as const) {
        one.on('error', () => other.destroy());
        one.on('close', () => {
          other.destroy();
          this.#sockets.delete(one);
        });
        this.#sockets.add(one);
      }
    });
  }

  /** `part`: of the replies to writes, how many are lost. */
  static async start(mongoPort: number, part: number, seed: number): Promise<LossyMongo> {
    const proxy = new LossyMongo(mongoPort, part, seededRandom(seed));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function commandOf(message: Buffer): string {
  return message.toString('latin1', COMMAND_AT, message.indexOf(0, COMMAND_AT));
}
