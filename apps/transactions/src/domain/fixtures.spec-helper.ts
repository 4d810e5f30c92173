import type { Currency, Link, MinorUnits, Msisdn, Party, PaymentId, Ref, WalletId } from '#libs/contracts';
import { opened, type Payment, type Terms } from './payment.ts';

const party = (name: string, number: string, digit: string): Party => ({
  name,
  number: number as Msisdn,
  link: `${number}:1` as Link,
  walletId: digit.repeat(32) as WalletId,
  language: 'en',
});

export const ADA = party('Ada', '+254712000001', 'a');
export const BEN = party('Ben', '+254712345678', 'b');

/** Ada owes Ben 25.00: as her payment or as his request. */
export function aPayment(origin: Terms['origin']): Payment {
  const openedAt = new Date('2026-01-31T20:00:00Z');
  return opened({
    id: 'SM1' as PaymentId,
    ref: 42 as Ref,
    origin,
    way: 'direct',
    payer: ADA,
    payee: BEN,
    amount: 2500n as MinorUnits,
    fee: 10n as MinorUnits,
    currency: 'KES' as Currency,
    memo: 'lunch',
    openedAt,
    dropAt: new Date(openedAt.getTime() + 600_000),
    endsAt: new Date(openedAt.getTime() + 1_200_000),
    refuseAt: new Date(openedAt.getTime() + 1_800_000),
    codeDigits: 6,
    codeN: 0,
  }).payment;
}
