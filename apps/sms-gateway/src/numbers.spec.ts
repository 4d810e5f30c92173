import { expect, it } from '@jest/globals';
import type { Msisdn } from '#libs/contracts';
import { realHost } from '#libs/runtime';
import type { Model } from 'mongoose';
import type { NumberRecord } from './number.schema.ts';
import { NumbersService } from './numbers.service.ts';

const NUMBER = '+254712000001' as Msisdn;
const at = (seconds: number) => new Date(seconds * 1_000);

/** The service, and what it wrote to a collection that is away while `away` is. */
function numbersOf() {
  const table = { away: false, written: [] as unknown[] };
  const updateOne = async (_which: object, change: object) => {
    if (table.away) throw new Error('the database is away');
    table.written.push(change);
  };
  return { table, numbers: new NumbersService({ updateOne } as unknown as Model<NumberRecord>, realHost) };
}

it('notes that somebody was heard once in five minutes, and again where it could not be written', async () => {
  const { table, numbers } = numbersOf();
  table.away = true;
  await numbers.heard(NUMBER, at(0));
  table.away = false;
  await numbers.heard(NUMBER, at(1));
  await numbers.heard(NUMBER, at(2));
  expect(table.written).toMatchObject([{ $max: { heardAt: at(1) } }]);
  await numbers.heard(NUMBER, at(400));
  expect(table.written).toHaveLength(2);
});

it('forgets a refusal with each delivery after it, however soon', async () => {
  const { table, numbers } = numbersOf();
  await numbers.delivered(NUMBER, at(0));
  await numbers.optedOut(NUMBER, at(1));
  table.written = [];
  await numbers.delivered(NUMBER, at(2));
  expect(table.written).toEqual([{ $unset: { optedOutAt: 1 } }]);
  table.away = true;
  await numbers.delivered(NUMBER, at(3));
});
