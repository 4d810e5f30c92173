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

  it('open no sixth payment, and ask no sixth time, of thirty at once', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '900.00' });
    const askers = await Promise.all(Array.from({ length: 6 }, (_, index) => town.joins({ name: `Ben ${'ABCDEF'[index]}` })));
    const opened = (phone: Phone, text: string) => phone.texts().filter((body) => body.startsWith(text)).length;
    const [ben] = askers as [Phone];
    await Promise.all(Array.from({ length: 30 }, (_, index) => ada.sends(`PAY ${index + 1} ${ben.number}`)));
    await Promise.all(askers.flatMap((asker) => [1, 2, 3, 4, 5].map((amount) => asker.sends(`ASK ${amount} ${ada.number}`))));
    await town.checkInvariants();
    expect([opened(ada, 'Pay '), opened(ada, 'Not paid: too many')]).toEqual([5, 25]);
    expect(ada.texts().filter((body) => body.includes('asks you for'))).toHaveLength(5);
    expect(askers.reduce((sum, asker) => sum + opened(asker, 'Not asked: too many'), 0)).toBe(25);
  });

  it('help once, of thirty who are not understood at once', async () => {
    const ada = await town.joins({ name: 'Ada' });
    const before = ada.texts().length;
    await Promise.all(Array.from({ length: 30 }, () => ada.sends('what?')));
    await town.checkInvariants();
    expect(ada.texts().length - before).toBe(1);
  });

  it('compare five codes of sixty at once', async () => {
    type Room = { _id: string; tickets: { smsId: string }[] };
    const rooms = town.db('transactions').collection<Room>('waiting_rooms');
    const ticketed = new Set<string>();
    const watched = rooms.watch([{ $match: { operationType: { $in: ['insert', 'update'] } } }]);
    watched.on('change', (change) => {
      const room = change.operationType === 'insert' ? change.fullDocument : undefined;
      const changed = change.operationType === 'update' ? change.updateDescription.updatedFields : room;
      for (const { smsId } of changed?.tickets ?? []) ticketed.add(smsId);
    });
    for (let burst = 0; burst < 4; burst++) {
      const ada = await town.joins({ name: 'Ada', balance: '100.00' });
      const ben = await town.joins({ name: 'Ben' });
      await ada.sends(`PAY 5 ${ben.number}`);
      const [, code = ''] = await ada.receives(QUOTE);
      const wrong = (index: number) => String((Number(code) + index) % 1_000_000).padStart(6, '0');
      const right = `SM${burst}`.padEnd(34, '0');
      await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          index === 29 ? ada.sends(code, { messageSid: right }) : ada.sends(wrong(index + 1)),
        ),
      );
      await town.checkInvariants();
      expect((await rooms.findOne({ _id: ada.number }))?.tickets).toHaveLength(5);
      // Right or not, it counts only if it was one of the five.
      const isPaid = ada.texts().some((text) => text.startsWith('Paid'));
      if (isPaid) expect(ticketed).toContain(right);
      expect(await cents(ben)).toBe(isPaid ? 500 : 0);
    }
    await watched.close();
  });
});
