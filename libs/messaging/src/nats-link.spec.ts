import { once } from 'node:events';
import { type AddressInfo, connect as dial, createServer, type Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import { startNats } from '#libs/dev-servers';
import { NatsLink } from './nats-link.ts';

/** Longer than a try to connect may take. */
const LATE_MS = 2_300;

it('gives up a try that NATS answers too late, and keeps one connection', async () => {
  const nats = await startNats();
  const clients = new Set<Socket>();
  let holdMs = 0;
  const proxy = createServer((client) => {
    clients.add(client);
    const server = dial(nats.port, '127.0.0.1');
    client.on('error', () => undefined).on('close', () => server.destroy() && clients.delete(client));
    server.on('error', () => undefined).on('close', () => client.destroy());
    client.pipe(server);
    setTimeout(() => server.pipe(client), holdMs);
    holdMs = 0;
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const link = new NatsLink('wallet', { NATS_URL: `nats://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
  try {
    await link.open();
    const [first] = clients;
    holdMs = LATE_MS;
    first?.destroy();
    const [late] = (await once(proxy, 'connection')) as [Socket];
    await once(late, 'close', { signal: AbortSignal.timeout(2 * LATE_MS) });
    await link.connection?.flush();
    expect(clients.size).toBe(1);
  } finally {
    await link.close();
    proxy.close();
    await nats.stop();
  }
});
