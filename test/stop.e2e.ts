import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Load, SERVICES, Town, until } from '#libs/testing';

let town: Town;
beforeAll(async () => {
  town = await Town.open({ processes: { 'sms-gateway': 2, transactions: 2, wallet: 2, notifications: 2 } });
});
afterAll(() => town.close());

it('a stop loses no request: every process is stopped and started again under load, and each SMS is answered 200 at once', async () => {
  const load = await Load.start(town, 4);
  const statuses = new Set<number>();
  const rolling = new AbortController();
  const asks = (async () => {
    const zoe = await town.joins({ name: 'Zoe' });
    while (!rolling.signal.aborted) statuses.add(await zoe.sends('BAL'));
  })();
  for (const service of SERVICES) {
    for (const process of town.of(service)) {
      const before = load.payments;
      await town.rolls(process);
      expect(process.lines.some((line) => line.includes('"msg":"stopped"'))).toBe(true);
      await until(() => load.payments > before, { timeoutMs: 30_000, what: () => `a payment after the stop of ${service}` });
    }
  }
  rolling.abort();
  await asks;
  await load.end();
  expect([...statuses]).toEqual([200]);
  await town.checkInvariants();
}, 240_000);
