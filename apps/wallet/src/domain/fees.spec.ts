import { describe, expect, it } from '@jest/globals';
import { type Currency, minorUnits } from '#libs/contracts';
import * as fc from 'fast-check';
import { feeOf, feeTiers } from './fees.ts';

const KES = 'KES' as Currency;
const file = [{ upTo: '100.00', fee: '0.10' }, { upTo: '1000', fee: '0.5' }, { fee: '2.00' }];

describe('fees', () => {
  it('are those of the tier, its upper bound included', () => {
    const fees = feeTiers(file, KES);
    const of = (amount: bigint) => feeOf(minorUnits(amount), fees);
    expect([1n, 10_000n, 10_001n, 100_000n, 100_001n, 10n ** 17n].map(of)).toEqual([10n, 10n, 50n, 50n, 200n, 200n]);
  });

  it('are none where there are no tiers', () => {
    expect(feeOf(minorUnits(5n), feeTiers([], KES))).toBe(0n);
  });

  it('are the same for every amount if there is one tier', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 17n), (amount) => feeOf(minorUnits(amount), feeTiers([{ fee: '3' }], KES)) === 300n),
    );
  });

  it('are in the minor units of the currency', () => {
    expect(feeTiers([{ fee: '3' }], 'JPY' as Currency)).toEqual([{ upTo: undefined, fee: 3n }]);
  });

  it.each<[unknown, string]>([
    [{}, 'must be a list of tiers, [{ "upTo": "100.00", "fee": "0.10" }, …, { "fee": "2.00" }]'],
    [[{ fee: 2 }], 'must be a list of tiers, [{ "upTo": "100.00", "fee": "0.10" }, …, { "fee": "2.00" }]'],
    [[{ fee: '2', upto: '5' }], 'must be a list of tiers, [{ "upTo": "100.00", "fee": "0.10" }, …, { "fee": "2.00" }]'],
    [[{ fee: '2.001' }], 'tier 1: fee must be an amount of KES such as 100.00, got 2.001'],
    [[{ upTo: '-1', fee: '2' }, { fee: '1' }], 'tier 1: upTo must be an amount of KES such as 100.00, got -1'],
    [[{ upTo: '5', fee: '2' }], 'tier 1: the last tier must have no upTo, got 5'],
    [[{ fee: '2' }, { fee: '3' }], 'tier 1: only the last tier may have no upTo'],
    [
      [{ upTo: '5', fee: '2' }, { upTo: '5.00', fee: '3' }, { fee: '4' }],
      'tier 2: upTo must be above that of the tier before (5.00), got 5.00',
    ],
  ])('of %j are refused with one line', (json, message) => {
    expect(() => feeTiers(json, KES)).toThrow(new Error(message));
  });
});
