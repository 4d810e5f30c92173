import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Load, Town, until } from '#libs/testing';

/** Service again within this of their return (docs/reliability.md, F2). */
const AGAIN_MS = 15_000;

describe('F2', () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open();
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  /** Kills a server under load, brings it back, and sees payments go on within the bound. */
  async function survives(kill: () => Promise<void>, bringBack: () => Promise<void>): Promise<void> {
    const load = await Load.start(town, 4);
    await until(() => load.payments >= 5, { timeoutMs: 30_000, what: () => 'the first payments' });
    await kill();
    const before = load.payments;
    await bringBack();
    await until(() => load.payments > before + 4, {
      timeoutMs: AGAIN_MS,
      what: () => `payments after the return; there are ${load.payments - before}`,
    });
    await load.end();
    expect(load.payments).toBeGreaterThan(before);
  }

  it(
    'survives kill -9 of the database under load',
    () =>
      survives(
        () => town.killMongo(),
        () => town.bringBackMongo(),
      ),
    120_000,
  );

  it(
    'survives kill -9 of NATS under load',
    () =>
      survives(
        () => town.killNats(),
        () => town.bringBackNats(),
      ),
    120_000,
  );

  it('takes SMS while NATS is away, and answers them after its return', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    await town.killNats();
    expect(await ada.sends('BAL')).toBe(200);
    await town.bringBackNats();
    await ada.receives(/^Balance KES 10\.00/, AGAIN_MS);
  });

  it('lets a service that starts while the database is away wait for it', async () => {
    const [transactions] = town.of('transactions');
    if (!transactions) throw new Error('the town has no transactions');
    await town.killMongo();
    await transactions.kill();
    const before = transactions.lines.length;
    await transactions.start({}, { waitReady: false });
    const waits = () => transactions.lines.slice(before).some((line) => line.includes('the database is not ready; trying again'));
    await until(waits, { timeoutMs: AGAIN_MS, what: () => 'a second try to open the database' });
    await town.bringBackMongo();
    await transactions.ready(AGAIN_MS);
  });

  it('answers no SMS 2xx that it cannot record', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    await town.killMongo();
    const status = await ada.sends('BAL');
    await town.bringBackMongo();
    expect(status).not.toBe(200);
    await ada.insists('BAL');
    await ada.receives(/^Balance KES 10\.00/, AGAIN_MS);
  }, 120_000);
});
