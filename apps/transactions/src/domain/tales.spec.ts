import { describe, expect, it } from '@jest/globals';
import type { Cause, Currency, MinorUnits, PaymentId, Sealed } from '#libs/contracts';
import { ADA, aPayment, BEN } from './fixtures.spec-helper.ts';
import { decide, type NotOpened, type Payment, type Tale } from './payment.ts';
import { eventOf } from './tales.ts';
import type { CodeDigits } from './waiting-room.ts';

const patience = { codeMinutes: 10, requestHours: 24 };
const seal = (eventId: string) => `k.${Buffer.from(eventId).toString('base64url')}` as Sealed;
const tell = (payment: Payment | NotOpened, tale: Tale, digits: CodeDigits = 6) =>
  eventOf(payment, tale, patience, { digits, seal });
const PAID_AT = new Date('2026-01-31T20:05:00Z');
type Reason = 'expired' | 'insufficient_funds' | 'cancelled' | 'declined';
const ended = (origin: 'pay' | 'request', reason?: Reason): Payment => {
  const cause = 'SM2' as Cause;
  const decision = decide(aPayment(origin), {
    type: 'ledger_answered',
    answer: reason
      ? { result: 'refused', reason, cause, payerBalance: 100n }
      : { result: 'made', kind: 'payment', cause, payerBalance: 7490n, payeeBalance: 2500n, at: PAID_AT },
  });
  if (decision.result !== 'next') throw new Error('an answer ends it');
  return decision.payment;
};

describe('the tales of a payment', () => {
  it('ask the payer for the code, and are dropped when its time is over', () => {
    expect(tell(aPayment('pay'), 'quote')).toMatchObject({
      id: 'SM1:quote',
      to: { number: ADA.number },
      dropAt: new Date('2026-01-31T20:10:00Z'),
      message: { type: 'quote', payee: BEN, minutes: 10 },
    });
    expect(tell(aPayment('request'), 'request')).toMatchObject({
      id: 'SM1:request',
      to: { number: ADA.number },
      message: { type: 'request', hours: 24 },
    });
    expect(tell(aPayment('request'), 'request_sent')).toMatchObject({ to: { number: BEN.number }, message: { payer: ADA } });
  });

  it('ask once more, in a text of its own, where the code became longer', () => {
    expect(tell(aPayment('pay'), 'quote', 9)?.id).toBe('SM1:quote:9');
    expect(tell(aPayment('request'), 'request', 9)?.id).toBe('SM1:request:9');
    expect(tell(aPayment('request'), 'request_sent', 9)?.id).toBe('SM1:request_sent');
  });

  it('give each side its own balance', () => {
    expect(tell(ended('pay'), 'paid')).toMatchObject({ to: { number: ADA.number }, message: { balance: 7490n, fee: 10n } });
    expect(tell(ended('pay'), 'received')).toMatchObject({
      to: { number: BEN.number },
      message: { balance: 2500n, memo: 'lunch' },
    });
  });

  it('say why no money moved', () => {
    expect(tell(ended('request', 'insufficient_funds'), 'not_paid')).toMatchObject({
      to: { number: ADA.number },
      message: { reason: 'insufficient_funds', way: 'request' },
    });
    expect(tell(ended('request', 'expired'), 'not_received')).toMatchObject({
      to: { number: BEN.number },
      message: { reason: 'expired' },
    });
  });

  it('carry what a phone shows that reads more than texts', () => {
    expect(tell(aPayment('request'), 'request')?.message).toMatchObject({ ref: 42 });
    expect(tell(ended('pay'), 'paid')?.message).toMatchObject({ at: PAID_AT });
    expect(tell(ended('pay'), 'received')?.message).toMatchObject({ at: PAID_AT });
    expect(tell(ended('pay', 'expired'), 'not_paid')?.message).toMatchObject({ balance: 100n });
  });

  it.each<['pay' | 'request', Reason | undefined, Tale, string | undefined]>([
    ['pay', undefined, 'paid', 'SM2'],
    ['request', undefined, 'paid', 'SM2'],
    ['pay', undefined, 'received', undefined],
    ['pay', 'insufficient_funds', 'not_paid', 'SM2'],
    ['pay', 'cancelled', 'not_paid', 'SM2'],
    ['request', 'declined', 'not_paid', 'SM2'],
    ['request', 'declined', 'not_received', undefined],
    ['request', 'cancelled', 'not_paid', undefined],
    ['request', 'cancelled', 'not_received', 'SM2'],
    ['request', 'expired', 'not_received', undefined],
    ['pay', 'expired', 'not_paid', undefined],
  ])('of a %s that ended (%s): %s answers %s', (origin, reason, tale, sms) => {
    expect(tell(ended(origin, reason), tale)?.answers).toBe(sms);
  });

  it('that begin a payment answer the SMS that opened it, to whoever sent it', () => {
    expect(tell(aPayment('pay'), 'quote')?.answers).toBe('SM1');
    expect(tell(aPayment('request'), 'request_sent')?.answers).toBe('SM1');
    expect(tell(aPayment('request'), 'request')?.answers).toBe(undefined);
  });

  it('say nothing that is not true any more', () => {
    expect([
      tell(ended('pay'), 'quote'),
      tell(ended('request'), 'request'),
      tell(ended('pay'), 'not_paid'),
      tell(ended('pay'), 'not_received'),
    ]).toEqual([undefined, undefined, undefined, undefined]);
    expect([tell(aPayment('pay'), 'paid'), tell(aPayment('pay'), 'received'), tell(aPayment('pay'), 'not_opened')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('tell the opener what could not be opened', () => {
    const notOpened: NotOpened = {
      id: 'SM1' as PaymentId,
      state: 'not_opened',
      origin: 'pay',
      opener: { number: ADA.number, language: 'en' },
      other: { number: BEN.number, name: '' },
      amount: 2500n as MinorUnits,
      fee: 10n as MinorUnits,
      balance: 100n,
      currency: 'KES' as Currency,
      reason: 'insufficient_funds',
      openedAt: new Date(),
    };
    expect(tell(notOpened, 'not_opened')).toMatchObject({
      to: { number: ADA.number },
      message: { type: 'not_opened', reason: 'insufficient_funds', balance: 100n },
    });
  });
});
