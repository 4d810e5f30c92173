import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rpc } from '#libs/contracts';
import { assertWaited, Metrics, NobodyWaits, realHost, Unavailable, unhurried, within } from '#libs/runtime';
import { type NatsServer, startNats } from '#libs/dev-servers';
import { z } from 'zod';
import { NatsLink } from './nats-link.ts';
import { ASKED_MAX, RpcClient, TakerFailed, TIME_LEFT_HEADER } from './rpc-client.ts';
import { RpcServer, TAKEN_MAX } from './rpc-server.ts';

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
    server = new RpcServer(taker, 'wallet', realHost, new Metrics(realHost));
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

  it('is answered however far the clock of its taker is ahead', async () => {
    const ahead = { ...realHost, now: () => new Date(Date.now() + 3_600_000) };
    const other = new RpcServer(await link('wallet'), 'wallet', ahead, new Metrics(ahead));
    await server.close();
    other.addHandler(Double.subject, async (request) => answer(request), false, { contract: Double });
    other.listen(() => undefined);
    // NATS knows of the one that listens now, and of the one that does no more.
    await Promise.all(links.map((each) => each.connection?.flush()));
    await expect(client.ask(Double, { n: 21 })).resolves.toEqual({ twice: 42 });
    await other.close();
  });

  it('for which nobody waits any more is not begun, and counted', async () => {
    const metrics = new Metrics(realHost);
    const begun: number[] = [];
    const other = new RpcServer(await link('wallet'), 'wallet', realHost, metrics);
    await server.close();
    const slow = async ({ n }: { n: number }) => {
      await realHost.sleep(200);
      assertWaited('work');
      begun.push(n);
      return { twice: 2 * n };
    };
    other.addHandler(Double.subject, slow, false, { contract: Double });
    other.listen(() => undefined);
    await links.at(-1)?.connection?.flush();
    await expect(client.ask(Double, { n: 1 }, 100)).rejects.toThrow(Unavailable);
    await expect(client.ask(Double, { n: 2 })).resolves.toEqual({ twice: 4 });
    expect(begun).toEqual([2]);
    expect(await metrics.text()).toContain('smspay_rpc_dropped_total{subject="test.double",reason="late"} 1');
    await other.close();
  });

  it('whose time was over when it arrived is not begun', async () => {
    const begun: number[] = [];
    answer = async ({ n }) => {
      begun.push(n);
      return { twice: 2 * n };
    };
    const late = { timeoutMs: 5_000, headers: { [TIME_LEFT_HEADER]: '0' } };
    expect(await links.at(-1)?.request(Double.subject, '{"n":1}', late)).toBe('{"error":"unavailable"}');
    expect(begun).toEqual([]);
  });

  it('asked for somebody waits no longer than they do, and is not sent when they have gone', async () => {
    const { promise: late, resolve: free } = Promise.withResolvers<{ twice: number }>();
    answer = () => late;
    const beganMs = performance.now();
    await within(realHost, 300, async () => {
      await expect(client.ask(Double, { n: 1 })).rejects.toThrow(Unavailable);
      await expect(client.ask(Double, { n: 1 })).rejects.toThrow(NobodyWaits);
    });
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    free({ twice: 0 });
    answer = async () => ({ twice: 0 });
    await within(realHost, 0, () => unhurried(() => client.ask(Double, { n: 0 })));
  });

  it('beyond what its taker does at once is answered so at once', async () => {
    const { promise: freed, resolve: free } = Promise.withResolvers<void>();
    answer = async ({ n }) => {
      await freed;
      return { twice: 2 * n };
    };
    const asked = Array.from({ length: TAKEN_MAX }, (_, n) => client.ask(Double, { n }));
    await expect(client.ask(Double, { n: -1 })).rejects.toThrow(Unavailable);
    free();
    expect(await Promise.all(asked)).toHaveLength(TAKEN_MAX);
    await expect(client.ask(Double, { n: 1 })).resolves.toEqual({ twice: 2 });
  });

  it('beyond what its asker has under way at once is not sent', async () => {
    const { promise: late, resolve: free } = Promise.withResolvers<{ twice: number }>();
    answer = () => late;
    const asked = Array.from({ length: ASKED_MAX }, (_, n) => client.ask(Double, { n }, 500));
    await expect(client.ask(Double, { n: -1 })).rejects.toThrow('room for one more question');
    const ended = await Promise.allSettled(asked);
    free({ twice: 0 });
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(ASKED_MAX);
  });

  it('too long for NATS, or answered at too great length, is a fault of it alone', async () => {
    const text = 'x'.repeat(2_000_000);
    const loose = rpc({ ...Double, request: z.object({ n: z.number(), text: z.string() }), response: z.unknown() });
    await client.ask(Double, { n: 0 });
    await expect(client.ask(loose, { n: 1, text })).rejects.toThrow('more than NATS takes');
    const Long = rpc({ ...Double, subject: 'test.long', response: z.string() });
    server.addHandler(Long.subject, async () => text, false, { contract: Long });
    server.listen(() => undefined);
    await links[0]?.connection?.flush();
    await expect(client.ask(Long, { n: 1 })).rejects.toThrow(Unavailable);
    await expect(client.ask(Double, { n: 2 })).resolves.toEqual({ twice: 4 });
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
