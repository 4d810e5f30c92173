import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Asker } from '#libs/contracts';
import { type Bus, type BusRequest, NatsLink } from '#libs/messaging';
import { natsCredentials, type NatsServer, startNats } from '#libs/dev-servers';
import { SimulatedBus } from './bus.ts';
import { Chance } from './chance.ts';
import { SimulatedProcess } from './process.ts';
import { Scheduler } from './scheduler.ts';
import { Story } from './story.ts';

/** A bus under test: who connects to it, how time passes there, how it goes away. */
interface Side {
  connect(name: string, asker: Asker): Promise<Bus>;
  /** Lets it go on until the work has come to its end. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** When all that was done has reached the other end. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const SUBJECT = 'wallet.balance';
const text = (error: unknown) => (error as Error).message;

async function realSide(): Promise<Side> {
  const { users, seedFiles } = await natsCredentials(mkdtempSync(join(tmpdir(), 'smspay-bus-')));
  const nats: NatsServer = await startNats({ users });
  const links: NatsLink[] = [];
  return {
    async connect(_name, asker) {
      const link = new NatsLink(asker, { NATS_URL: nats.url, NATS_CREDS: seedFiles[asker] });
      links.push(link);
      await link.open();
      return link;
    },
    run: (work) => work(),
    async settle() {
      for (const link of links) await link.connection?.flush();
    },
    async stop() {
      await Promise.all(links.map((link) => link.close()));
      await nats.stop();
    },
  };
}

async function simulatedSide(): Promise<Side> {
  const scheduler = new Scheduler(0);
  const bus = new SimulatedBus(scheduler, new Chance(1, 'bus'));
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    const over = { is: false };
    const outcome = work().finally(() => (over.is = true));
    outcome.catch(() => undefined);
    while (!over.is) await scheduler.run(scheduler.nowMs + 1);
    return outcome;
  };
  return {
    async connect(name, asker) {
      const story = new Story(() => scheduler.nowMs, false);
      const process = new SimulatedProcess(name, { scheduler, chance: new Chance(2, name), story });
      const link = bus.connect(process, asker);
      await run(() => link.open());
      return link;
    },
    run,
    settle: () => scheduler.run(scheduler.nowMs + 100),
    async stop() {},
  };
}

describe.each([
  ['NATS', realSide],
  ['the simulation', simulatedSide],
] as const)('the bus of %s', (_name, open) => {
  let side: Side;
  let gateway: Bus;
  let one: Bus;
  let two: Bus;
  beforeAll(async () => {
    side = await open();
    gateway = await side.connect('sms-gateway-1', 'sms-gateway');
    one = await side.connect('wallet-1', 'wallet');
    two = await side.connect('wallet-2', 'wallet');
  });
  afterAll(() => side.stop());

  const ask = (body: string, { from = gateway, subject = SUBJECT, timeoutMs = 500, headers = {} } = {}) =>
    side.run(() => from.request(subject, body, { timeoutMs, headers })).catch((error: unknown) => `failed: ${text(error)}`);

  /** Takes as `bus` until the returned function is called. */
  const take = async (bus: Bus, answer: (request: BusRequest) => void) => {
    const subscription = bus.subscribe(SUBJECT, 'wallet', answer);
    await side.settle();
    return () => side.run(() => subscription.drain());
  };

  it('says at once that nobody listens', async () => {
    expect(await ask('{}', { timeoutMs: 60_000 })).toMatch(/no responders/i);
  });

  it('carries body and headers there, and the answer back', async () => {
    const end = await take(one, ({ body, headers, subject, respond }) => respond(JSON.stringify({ body, headers, subject })));
    expect(JSON.parse(await ask('{"n":1}', { headers: { 'Smspay-Time-Left-Ms': '7' } }))).toEqual({
      body: '{"n":1}',
      headers: { 'Smspay-Time-Left-Ms': '7' },
      subject: SUBJECT,
    });
    await end();
  });

  it('hands each request to one of a queue group, and to each of them now and then', async () => {
    const taken: string[] = [];
    const ends = await Promise.all(
      [one, two].map((bus, index) =>
        take(bus, ({ body, respond }) => {
          taken.push(`${index} ${body}`);
          respond('{}');
        }),
      ),
    );
    for (let n = 0; n < 40; n++) await ask(String(n));
    expect(taken.map((line) => line.slice(2))).toEqual(Array.from({ length: 40 }, (_, n) => String(n)));
    expect(new Set(taken.map((line) => line[0]))).toEqual(new Set(['0', '1']));
    for (const end of ends) await end();
  });

  it('gives up when no answer comes in time, and takes the first of two', async () => {
    const silent = await take(one, () => undefined);
    expect(await ask('{}', { timeoutMs: 50 })).toMatch(/timeout/i);
    await silent();
    const twice = await take(one, ({ respond }) => {
      respond('"first"');
      respond('"second"');
    });
    expect(await ask('{}')).toBe('"first"');
    await twice();
  });

  it('hands nothing more to who has drained, and lets them answer what they took', async () => {
    const taken = Promise.withResolvers<BusRequest>();
    const end = await take(one, taken.resolve);
    const asked = gateway.request(SUBJECT, '{}', { timeoutMs: 5_000, headers: {} });
    const request = await side.run(() => taken.promise);
    await end();
    expect(await ask('{}', { timeoutMs: 60_000 })).toMatch(/no responders/i);
    request.respond('"late"');
    await expect(side.run(() => asked)).resolves.toBe('"late"');
  });

  it('lets a credential ask only what the contracts give it', async () => {
    const end = await take(one, ({ respond }) => respond('{}'));
    expect(await ask('{}', { subject: 'wallet.transfer.make', timeoutMs: 200 })).toMatch(/permissions violation/i);
    expect(await ask('{}')).toBe('{}');
    await end();
  });

  it('lets a credential take only in the group that the contracts give it', async () => {
    const taken: BusRequest[] = [];
    for (const [subject, queue] of [
      [SUBJECT, 'sms-gateway'],
      ['transactions.carry_out', 'wallet'],
    ] as const) {
      try {
        two.subscribe(subject, queue, (request) => taken.push(request));
      } catch (error) {
        expect(text(error)).toMatch(/permissions violation/i);
      }
    }
    await side.settle();
    expect(await ask('{}', { timeoutMs: 60_000 })).toMatch(/no responders/i);
    expect(taken).toEqual([]);
  });
});
