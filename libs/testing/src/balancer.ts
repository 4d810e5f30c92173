import { connect, createServer, type Server, type Socket } from 'node:net';

/** Spreads connections over the processes of a service as Kubernetes does, and passes over those that do not listen. */
export class Balancer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(ports: () => readonly number[]) {
    this.#server = createServer((client) => {
      client.on('error', () => client.destroy());
      this.#keep(client);
      const dial = (left: number) => {
        const all = ports();
        const port = all[this.#turn++ % all.length];
        if (left === 0 || port === undefined) return client.destroy();
        const upstream = connect(port, '127.0.0.1');
        this.#keep(upstream);
        upstream.once('error', () => dial(left - 1));
        upstream.once('connect', () => {
          upstream.removeAllListeners('error');
          upstream.on('error', () => client.destroy());
          client.on('close', () => upstream.destroy());
          upstream.on('close', () => client.destroy());
          client.pipe(upstream).pipe(client);
        });
        return undefined;
      };
      dial(ports().length);
    });
  }

  static async start(port: number, ports: () => readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    await new Promise<void>((resolve) => balancer.#server.listen(port, '127.0.0.1', resolve));
    return balancer;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
