import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Phone, Town } from '#libs/testing';

const QUOTE = /Reply (\d{6}) within/;

const cents = async (phone: Phone) => Number((await phone.balance()).replace(/[.,]/g, ''));

/** Two of everything, so that whatever can race does. */
describe('any two events on one payment', () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open({ processes: { 'sms-gateway': 2, transactions: 3, wallet: 3, notifications: 2 } });
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  it('leave one winner: the code against the withdrawal, and both people are told the same', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const ada = await town.joins({ name: 'Ada', balance: '10.00' });
        const ben = await town.joins({ name: 'Ben' });
        await ben.sends(`ASK 5 ${ada.number}`);
        const [, ref = ''] = await ben.receives(/NO (\w{7})$/);
        const [, code = ''] = await ada.receives(QUOTE);
        await Promise.all([ada.sends(code), ben.sends(`NO ${ref}`), ada.sends(`NO ${code}`)]);
        const [, outcome = ''] = await ada.receives(/^(Paid|Not paid)/);
        await ben.receives(outcome === 'Paid' ? /^You got KES 5\.00/ : /^Not received: KES 5\.00/);
        expect(await cents(ada)).toBe(outcome === 'Paid' ? 490 : 1_000);
        expect(await cents(ben)).toBe(outcome === 'Paid' ? 500 : 0);
        return outcome;
      }),
    );
    expect(outcomes).toHaveLength(12);
  });

  it('leave one winner: the same code in two SMS', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 5 ${ben.number}`);
    const [, code = ''] = await ada.receives(QUOTE);
    await Promise.all(Array.from({ length: 5 }, () => ada.sends(code)));
    await ada.receives(/^Paid KES 5\.00/);
    await ben.receives(/^You got KES 5\.00/);
    await town.checkInvariants();
    expect(ada.texts().filter((text) => text.startsWith('Paid'))).toHaveLength(1);
    expect(ada.texts().filter((text) => /: paid\. Ref/.test(text))).toHaveLength(4);
    expect(await cents(ada)).toBe(490);
  });

  it('spend no money twice: five payments of all there is, confirmed at once', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.10' });
    const friends = await Promise.all(Array.from({ length: 5 }, (_, index) => town.joins({ name: `Ben ${'ABCDE'[index]}` })));
    const codes: string[] = [];
    for (const friend of friends) {
      await ada.sends(`PAY 10 ${friend.number}`);
      codes.push((await ada.receives(QUOTE))[1] ?? '');
    }
    await Promise.all(codes.map((code) => ada.sends(code)));
    await town.checkInvariants();
    expect(ada.texts().filter((text) => text.startsWith('Paid'))).toHaveLength(1);
    expect(ada.texts().filter((text) => text.startsWith('Not paid'))).toHaveLength(4);
    expect(await cents(ada)).toBe(0);
  });
});
