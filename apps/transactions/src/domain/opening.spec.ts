import { describe, expect, it } from '@jest/globals';
import type { Currency, MinorUnits } from '#libs/contracts';
import { ADA, BEN } from './fixtures.spec-helper.ts';
import { refusalOfOpening } from './opening.ts';

const quote = { payer: ADA, payee: BEN, fee: 10n as MinorUnits, payerBalance: 2510n, currency: 'KES' as Currency };
const pay = { type: 'pay' as const, to: BEN.number, amount: 2500n as MinorUnits, memo: '' };
const request = { ...pay, type: 'request' as const };

describe('the opening of a payment', () => {
  it('needs a wallet on both sides', () => {
    expect(refusalOfOpening(pay, ADA.number, { ...quote, payer: undefined })).toBe('no_wallet');
    expect(refusalOfOpening(pay, ADA.number, { ...quote, payee: undefined })).toBe('payee_has_no_wallet');
    expect(refusalOfOpening(request, ADA.number, { ...quote, payee: undefined })).toBe('no_wallet');
    expect(refusalOfOpening({ ...request, to: ADA.number }, BEN.number, { ...quote, payer: undefined })).toBe(
      'payer_has_no_wallet',
    );
  });

  it('takes the last cent, fee included, and not one more', () => {
    expect(refusalOfOpening(pay, ADA.number, quote)).toBeUndefined();
    expect(refusalOfOpening(pay, ADA.number, { ...quote, payerBalance: 2509n })).toBe('insufficient_funds');
  });

  it('does not look into the purse of who is asked', () => {
    expect(refusalOfOpening({ ...request, to: ADA.number }, BEN.number, { ...quote, payerBalance: 0n })).toBeUndefined();
  });

  it('is no way to pay or ask oneself', () => {
    expect(refusalOfOpening({ ...pay, to: ADA.number }, ADA.number, { ...quote, payee: ADA })).toBe('to_self');
    expect(refusalOfOpening({ ...request, to: BEN.number }, BEN.number, { ...quote, payer: BEN })).toBe('to_self');
  });
});
