import { connect as dial, createServer, type Server, type Socket } from 'node:net';
import { mongo as driver } from 'mongoose';
import { seededRandom } from './random.ts';

const WRITES = new Set(['insert', 'update']);
const LENGTH_BYTES = 4;
/** Header, flag bits and section kind of an OP_MSG; then comes the command (MongoDB wire protocol). */
const COMMAND_AT = 16 + 4 + 1;

/** Stands between services and MongoDB. Some writes reach the database, and their replies are lost with the connection. */
export class LossyMongo {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Writes that the asker was never told of, by database. */
  readonly lost = new Map<string, number>();
  /** The driver tries a write a second time under one id; that reply is lost too, or the services would see nothing of it. */
  readonly #unlucky = new Set<string>();

  private constructor(mongoPort: number, part: number, random: () => number) {
    this.#server = createServer((client) => {
      const mongo = dial(mongoPort, '127.0.0.1');
      let loseNext = false;
      let rest = Buffer.alloc(0);
      client.on('data', (data) => {
        rest = Buffer.concat([rest, data]);
        while (rest.length >= LENGTH_BYTES && rest.length >= rest.readInt32LE(0)) {
          const message = rest.subarray(0, rest.readInt32LE(0));
          rest = rest.subarray(message.length);
          loseNext ||= this.#loses(message, () => random() < part);
          mongo.write(message);
        }
      });
      mongo.on('data', (data) => {
        // The database has answered, so it has the write; the asker will never know.
        if (loseNext) client.destroy();
        else client.write(data);
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

  /** `part`: of the writes, how many lose their reply. */
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

  #loses(message: Buffer, unlucky: () => boolean): boolean {
    const nameAt = COMMAND_AT + LENGTH_BYTES + 1;
    if (!WRITES.has(message.toString('latin1', nameAt, message.indexOf(0, nameAt)))) return false;
    const length = message.readInt32LE(COMMAND_AT);
    const command = driver.BSON.deserialize(message.subarray(COMMAND_AT, COMMAND_AT + length), { promoteLongs: false });
    const id = driver.BSON.EJSON.stringify([command['lsid'], command['txnNumber']]);
    if (this.#unlucky.has(id)) {
      const database = String(command['$db']);
      this.lost.set(database, (this.lost.get(database) ?? 0) + 1);
      return true;
    }
    if (unlucky()) this.#unlucky.add(id);
    return this.#unlucky.has(id);
  }
}
