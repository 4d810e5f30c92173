import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rpc } from '#libs/contracts';
import { Metrics, realHost, Unavailable } from '#libs/runtime';
import { type NatsServer, startNats } from '#libs/dev-servers';
import { connect } from '@nats-io/transport-node';
import { z } from 'zod';
import { NatsLink } from './nats-link.ts';
import { DEADLINE_HEADER, RpcClient, TakerFailed } from './rpc-client.ts';
import { RpcServer } from './rpc-server.ts';

const Double = rpc({
  subject: 'test.double',
  by: 'wallet',
  from: ['transactions'],
  request: z.object({ n: z.number(), how: z.discriminatedUnion('type', [z.object({ type: z.literal('plain') })]).optional() }),
  response: z.object({ twice: z.number() }),
});

describe('a question over NATS', () => {
  let nats: NatsServer;
  let server: RpcServer;
  let links: NatsLink[];
  let client: RpcClient;
  let answer: (request: { n: number }) => Promise<{ twice: number }>;

  const link = async (name: 'wallet' | 'transactions') => {
    const made = new NatsLink(name, { NATS_URL: nats.url });
    links.push(made);
    await made.open();
    return made;
  };

  beforeAll(async () => {
    nats = await startNats();
  });
  afterAll(() => nats.stop());
  beforeEach(async () => {
    links = [];
    answer = async ({ n }) => ({ twice: 2 * n });
    const taker = await link('wallet');
    server = new RpcServer(taker, 'wallet', realHost);
    server.addHandler(Double.subject, async (request) => answer(request), false, { contract: Double });
    server.listen(() => undefined);
    client = new RpcClient(await link('transactions'), realHost, new Metrics(realHost));
    await taker.connection?.flush();
  });
  afterEach(async () => {
    await server.close();
    await Promise.all(links.map((made) => made.close()));
  });

  it('is answered', async () => {
    await expect(client.ask(Double, { n: 21 })).resolves.toEqual({ twice: 42 });
  });

  it('whose taker has a fault with it alone is answered so, without the reason', async () => {
    await client.ask(Double, { n: 0 });
    answer = () => Promise.reject(new Error('the secret reason'));
    await expect(client.ask(Double, { n: 1 })).rejects.toThrow(TakerFailed);
    await expect(client.ask(Double, { n: 1 })).rejects.not.toThrow('the secret reason');
  });

  it('whose taker fails everybody is unavailable', async () => {
    answer = () => Promise.reject(new Error('the secret reason'));
    await expect(client.ask(Double, { n: 1 })).rejects.toThrow(Unavailable);
  });

  it('whose answer this release cannot read is unavailable', async () => {
    const older = rpc({ ...Double, response: z.object({ twice: z.literal('another release says it so') }) });
    await expect(client.ask(older, { n: 1 })).rejects.toThrow(Unavailable);
  });

  it('passes on an outage behind its taker unchanged', async () => {
    answer = () => Promise.reject(new Unavailable('the database'));
    await expect(client.ask(Double, { n: 1 })).rejects.toThrow(Unavailable);
  });

  it('that nobody takes is unavailable', async () => {
    await expect(client.ask(rpc({ ...Double, subject: 'test.nobody' }), { n: 1 })).rejects.toThrow(Unavailable);
  });

  it('of a type that this release does not know is unavailable; one that is malformed is a fault', async () => {
    const loose = rpc({ ...Double, request: z.unknown() });
    await client.ask(Double, { n: 0 });
    await expect(client.ask(loose, { n: 1, how: { type: 'newer' } })).rejects.toThrow(Unavailable);
    await expect(client.ask(loose, { n: 'one' })).rejects.toThrow(TakerFailed);
  });

  it('past its deadline is dropped unread', async () => {
    const seen: number[] = [];
    answer = async ({ n }) => {
      seen.push(n);
      return { twice: 2 * n };
    };
    const raw = await connect({ servers: nats.url });
    const { headers } = await import('@nats-io/transport-node');
    const late = headers();
    late.set(DEADLINE_HEADER, String(Date.now() - 1));
    raw.publish(Double.subject, JSON.stringify({ n: 1 }), { headers: late });
    await raw.close();
    await client.ask(Double, { n: 2 });
    expect(seen).toEqual([2]);
  });

  it('that was taken is answered before the server closes, and a later one finds nobody', async () => {
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const { promise: freed, resolve: free } = Promise.withResolvers<void>();
    answer = async ({ n }) => {
      take();
      await freed;
      return { twice: 2 * n };
    };
    const asked = client.ask(Double, { n: 3 });
    await taken;
    const drained = server.drain();
    // NATS knows by now that it takes no more.
    await links[0]?.connection?.flush();
    await expect(client.ask(Double, { n: 4 })).rejects.toThrow(Unavailable);
    free();
    await expect(asked).resolves.toEqual({ twice: 6 });
    await drained;
  });
});
