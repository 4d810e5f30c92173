import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Phone, Town, type Webhook } from '#libs/testing';

const QUOTE = /Reply (\d{6}) within/;
const YEAR_MS = 365 * 24 * 3_600_000;

describe('an SMS that is posted again', () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open({ processes: { 'sms-gateway': 4, transactions: 2, wallet: 2 } });
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  /** Posts one webhook to each gateway in turn, all at once. */
  const flood = (webhook: Webhook, times: number) =>
    Promise.all(Array.from({ length: times }, (_, index) => town.posts(webhook, town.of('sms-gateway')[index % 4])));

  async function twoPeople(): Promise<[Phone, Phone, string]> {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 10 ${ben.number}`);
    const [, code = ''] = await ada.receives(QUOTE);
    return [ada, ben, code];
  }

  it('50 times at once over 4 gateways does one thing and is answered once (F4)', async () => {
    const [ada, ben, code] = await twoPeople();
    expect(new Set(await flood(town.webhook(ada, code), 50))).toEqual(new Set([200]));
    await ada.receives(/^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/);
    const other = town.webhook(ada, `PAY 5 ${ben.number}`);
    expect(new Set(await flood(other, 50))).toEqual(new Set([200]));
    await ada.receives(QUOTE);
    await town.checkInvariants();
    expect(ada.texts()).toHaveLength(4);
    expect(ben.texts()).toHaveLength(2);
    expect(await ada.balance()).toBe('89.90');
  });

  it('under another id in the same second is another SMS (F5)', async () => {
    const [ada, ben] = await twoPeople();
    const same = `PAY 5 ${ben.number} coffee`;
    const statuses = await Promise.all([town.posts(town.webhook(ada, same)), town.posts(town.webhook(ada, same))]);
    expect(statuses).toEqual([200, 200]);
    const [, first = ''] = await ada.receives(QUOTE);
    const [, second = ''] = await ada.receives(QUOTE);
    expect(first).not.toBe(second);
    await Promise.all([ada.sends(first), ada.sends(second)]);
    await ada.receives(/^Paid KES 5\.00/);
    await ada.receives(/^Paid KES 5\.00/);
    expect(await ada.balance()).toBe('89.80');
    expect(await ben.balance()).toBe('10.00');
  });

  it('a year later has no effect (F16)', async () => {
    const [ada, ben, code] = await twoPeople();
    const webhook = town.webhook(ada, code);
    await town.posts(webhook);
    await ada.receives(/^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/);
    await town.checkInvariants();
    // As if all of it had happened a year ago, and its text had been erased since.
    const aYearAgo = new Date(Date.now() - YEAR_MS);
    await town
      .db('sms-gateway')
      .collection<{ _id: string }>('inbox')
      .updateOne({ _id: webhook.MessageSid }, { $set: { recordedAt: aYearAgo }, $unset: { text: 1 } });
    await town
      .db('transactions')
      .collection('payments')
      .updateMany(
        { 'payer.number': ada.number },
        { $set: { openedAt: aYearAgo, dropAt: aYearAgo, endsAt: aYearAgo, refuseAt: aYearAgo } },
      );
    const texts = [ada.texts().length, ben.texts().length];
    expect(await town.posts(webhook)).toBe(200);
    await town.checkInvariants();
    expect([ada.texts().length, ben.texts().length]).toEqual(texts);
    expect(await ada.balance()).toBe('89.90');
  });

  it('with other contents under the same id is an error and changes nothing', async () => {
    const [ada, ben] = await twoPeople();
    const webhook = town.webhook(ada, 'BAL');
    expect(await town.posts(webhook)).toBe(200);
    await ada.receives(/^Balance/);
    const others: Record<string, string>[] = [{ Body: `PAY 1 ${ben.number}` }, { From: ben.number }, { To: '+254700000009' }];
    for (const changed of others) {
      expect(await town.posts({ ...webhook, ...changed })).toBe(409);
    }
    expect(await town.posts(webhook)).toBe(200);
    await town.checkInvariants();
    expect(ben.texts()).toHaveLength(1);
  });
});
