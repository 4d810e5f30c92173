import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Town } from '#libs/testing';

/** What an earlier release left in the database goes on. */
describe('after an upgrade', () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open();
  });
  afterAll(() => town.close());

  it('what waited for a code in 0.2.0, whose payments held of what it is computed, is paid by it', async () => {
    type Room = { _id: string; things: { id: string; codeN: number }[] };
    const rooms = town.db('transactions').collection<Room>('waiting_rooms');
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 10 ${ben.number}`);
    const [, code = ''] = await ada.receives(/Reply (\d{6}) within/);
    const room = await rooms.findOneAndDelete({ _id: ada.number });
    const [{ id = '', codeN = 0 } = {}] = room?.things ?? [];
    await town.db('transactions').collection<{ _id: string }>('payments').updateOne({ _id: id }, { $set: { codeN } });
    await ada.sends('NO');
    await ada.receives(new RegExp(code));
    await ada.sends(code);
    await ada.receives(/^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/);
    expect((await rooms.findOne({ _id: ada.number }))?.things).toMatchObject([{ id, over: true }]);
    await town.checkInvariants();
  });
});
