import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Load, Town, until } from '#libs/testing';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

describe(`F3 (SEED=${SEED})`, () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open({ processes: { transactions: 2, wallet: 2 }, natsLoss: { part: 0.05, seed: SEED } });
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  it('loses nothing while one message in twenty is lost', async () => {
    const load = await Load.start(town, 6);
    await until(() => load.payments >= 12, { timeoutMs: 120_000, what: () => `12 payments; there are ${load.payments}` });
    await load.end();
    expect(town.lossyNats?.lost).toBeGreaterThan(0);
  }, 180_000);

  it('loses nothing when all of NATS is killed at once under load', async () => {
    const load = await Load.start(town, 6);
    await until(() => load.payments >= 4, { timeoutMs: 120_000, what: () => `4 payments; there are ${load.payments}` });
    await town.killNats();
    const before = load.payments;
    await town.bringBackNats();
    await until(() => load.payments >= before + 6, {
      timeoutMs: 120_000,
      what: () => `6 more payments; there are ${load.payments - before}`,
    });
    await load.end();
    expect(load.payments).toBeGreaterThan(before);
  }, 240_000);
});
