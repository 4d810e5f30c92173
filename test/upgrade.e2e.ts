import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Town } from '#libs/testing';

/** What an earlier release left in the database, or puts there beside this one, goes on. */
describe('beside and after 0.2.0', () => {
  type Room = { _id: string; things: { id: string }[] };
  let town: Town;
  beforeAll(async () => {
    town = await Town.open();
  });
  afterAll(() => town.close());

  it.each([
    ['before any code came', (room: string) => rooms().deleteOne({ _id: room })],
    ['when others wait already', (room: string) => rooms().updateOne({ _id: room }, { $set: { things: [] } })],
  ])('what it opened %s is listed, and paid by its code', async (_when, forget) => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 10 ${ben.number}`);
    const [, code = ''] = await ada.receives(/Reply (\d{6}) within/);
    await forget(ada.number);
    await ada.sends(code);
    await ada.receives(/^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/);
    expect((await rooms().findOne({ _id: ada.number }))?.things).toMatchObject([{ over: true }]);

    await ada.sends(`PAY 20 ${ben.number}`);
    const [, other = ''] = await ada.receives(/^Pay KES 20\.00 .*Reply (\d{6}) within/);
    await forget(ada.number);
    await ada.sends('NO');
    await ada.receives(new RegExp(other));
    await town.checkInvariants();
  });

  function rooms() {
    return town.db('transactions').collection<Room>('waiting_rooms');
  }
});
