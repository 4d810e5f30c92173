import { afterAll, afterEach, beforeAll, describe, it } from '@jest/globals';
import { DATABASES, Load, Town, until } from '#libs/testing';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const PATIENCE_MS = 90_000;

describe(`F10 (SEED=${SEED})`, () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open({ processes: { transactions: 2, wallet: 3 }, mongoLoss: { part: 0.05, seed: SEED } });
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  it('finds by its id what each service wrote though its reply was lost', async () => {
    const load = await Load.start(town, 4, PATIENCE_MS);
    const lost = () => Object.values(DATABASES).map((database) => town.lossyMongo?.lost.get(database) ?? 0);
    await until(() => load.payments >= 16 && lost().every((count) => count >= 3), {
      timeoutMs: PATIENCE_MS,
      what: () => `16 payments and 3 losses of each service; there are ${load.payments} and ${lost().join(', ')}`,
    });
    await load.end();
  }, 180_000);

  it('never makes and refuses one transfer, whoever comes first and whatever reply is lost', async () => {
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const ada = await town.joins({ name: 'Ada', balance: '10.00' });
        const ben = await town.joins({ name: 'Ben' });
        await ben.insists(`ASK 5 ${ada.number}`);
        const [, ref = ''] = await ben.receives(/NO (\w{7})$/, PATIENCE_MS);
        const [, code = ''] = await ada.receives(/Reply (\d{6})/, PATIENCE_MS);
        await Promise.all([ada.insists(code), ben.insists(`NO ${ref}`)]);
        const [, outcome = ''] = await ada.receives(/^(Paid|Not paid)/, PATIENCE_MS);
        await ben.receives(outcome === 'Paid' ? /^You got KES 5\.00/ : /^Not received: KES 5\.00/, PATIENCE_MS);
      }),
    );
  }, 180_000);
});
