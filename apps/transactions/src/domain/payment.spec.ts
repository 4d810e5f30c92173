import { describe, expect, it } from '@jest/globals';
import type { Cause, TransferAnswer } from '#libs/contracts';
import fc from 'fast-check';
import { aPayment } from './fixtures.spec-helper.ts';
import { decide, type Decision, type Input, isOpen, opened, type Payment, type Question, reasonOf } from './payment.ts';

const cause = (name: string) => name as Cause;
const anyCause = fc.constantFrom('SM1', 'SM2', 'timer:P').map(cause);
const anyAnswer: fc.Arbitrary<TransferAnswer> = fc.oneof(
  fc.record({
    result: fc.constant('made' as const),
    kind: fc.constant('payment' as const),
    cause: anyCause,
    payerBalance: fc.bigInt(0n, 10n ** 9n),
    payeeBalance: fc.bigInt(0n, 10n ** 9n),
  }),
  fc.record({
    result: fc.constant('refused' as const),
    cause: anyCause,
    reason: fc.constantFrom(
      'insufficient_funds',
      'over_limit',
      'frozen',
      'receiver_full',
      'receiver_closed',
      'declined',
      'expired',
      'cancelled' as const,
    ),
  }),
);
const anyInput: fc.Arbitrary<Input> = fc.oneof(
  fc.record({ type: fc.constant('right_code' as const), cause: anyCause }),
  fc.record({ type: fc.constant('no' as const), by: fc.constantFrom('payer' as const, 'payee' as const), cause: anyCause }),
  fc.record({ type: fc.constant('time_is_up' as const), cause: anyCause }),
  fc.record({ type: fc.constant('ledger_answered' as const), answer: anyAnswer }),
);
const anyOrigin = fc.constantFrom('pay' as const, 'request' as const);

/** A ledger of one transfer id: its first answer is its answer for ever. */
function aLedger() {
  let first: TransferAnswer | undefined;
  return (question: Question): TransferAnswer => {
    first ??=
      question.type === 'make_transfer'
        ? { result: 'made', kind: 'payment', cause: question.cause, payerBalance: 1n, payeeBalance: 2n }
        : { result: 'refused', reason: question.reason, cause: question.cause };
    return first;
  };
}

/** Lives a payment through inputs as the service does: what is asked is answered by the ledger. */
function lifeOf(begin: Payment, inputs: Input[], ledger = aLedger()): Payment {
  const step = (payment: Payment, decision: Decision): Payment => {
    if (decision.result === 'unchanged') return payment;
    if (decision.result === 'next') return decision.payment;
    return step(payment, decide(payment, { type: 'ledger_answered', answer: ledger(decision.question) }));
  };
  return inputs
    .filter((input) => input.type !== 'ledger_answered')
    .reduce((payment, input) => step(payment, decide(payment, input)), begin);
}

describe('a payment', () => {
  it('is made by the right code, and both are told', () => {
    const decision = decide(aPayment('pay'), { type: 'right_code', cause: cause('SM2') });
    expect(decision).toEqual({ result: 'ask', question: { type: 'make_transfer', cause: 'SM2' } });
    const after = decide(aPayment('pay'), {
      type: 'ledger_answered',
      answer: { result: 'made', kind: 'payment', cause: cause('SM2'), payerBalance: 7490n, payeeBalance: 2500n },
    });
    expect(after).toMatchObject({
      result: 'next',
      payment: { state: 'completed', payerBalance: 7490n, closedBy: 'SM2' },
      untold: ['paid', 'received'],
    });
  });

  it.each([
    ['pay', 'payer', 'cancelled'],
    ['pay', 'payee', 'declined'],
    ['request', 'payer', 'declined'],
    ['request', 'payee', 'cancelled'],
  ] as const)('of origin %s, refused by the %s, is %s', (origin, by, reason) => {
    expect(decide(aPayment(origin), { type: 'no', by, cause: cause('SM2') })).toEqual({
      result: 'ask',
      question: { type: 'refuse_transfer', reason, cause: 'SM2' },
    });
    expect(lifeOf(aPayment(origin), [{ type: 'no', by, cause: cause('SM2') }])).toMatchObject({ state: reason });
  });

  it('that was only quoted is told to its payer alone when it ends; a request to both', () => {
    const answer = { result: 'refused', reason: 'expired', cause: cause('timer:P') } as const;
    expect(decide(aPayment('pay'), { type: 'ledger_answered', answer })).toMatchObject({ untold: ['not_paid'] });
    expect(decide(aPayment('request'), { type: 'ledger_answered', answer })).toMatchObject({
      untold: ['not_paid', 'not_received'],
    });
  });

  it('keeps its terms whatever happens', () => {
    fc.assert(
      fc.property(anyOrigin, fc.array(anyInput), (origin, inputs) => {
        const { state: _, ...terms } = aPayment(origin);
        expect(lifeOf(aPayment(origin), inputs)).toMatchObject(terms);
      }),
    );
  });

  it('takes each input twice as once', () => {
    fc.assert(
      fc.property(anyOrigin, fc.array(anyInput), (origin, inputs) => {
        const doubled = inputs.flatMap((input) => [input, input]);
        expect(lifeOf(aPayment(origin), doubled)).toEqual(lifeOf(aPayment(origin), inputs));
      }),
    );
  });

  it('is changed by nothing but the answer of the ledger', () => {
    fc.assert(
      fc.property(anyOrigin, anyInput, (origin, input) => {
        const decision = decide(aPayment(origin), input);
        expect(decision.result).toBe(input.type === 'ledger_answered' ? 'next' : 'ask');
      }),
    );
  });

  it('that has ended stays as it ended', () => {
    fc.assert(
      fc.property(anyOrigin, anyAnswer, anyInput, (origin, answer, input) => {
        const ended = decide(aPayment(origin), { type: 'ledger_answered', answer });
        if (ended.result !== 'next') throw new Error('an answer ends it');
        expect(decide(ended.payment, input)).toEqual({ result: 'unchanged' });
        expect(isOpen(ended.payment)).toBe(false);
      }),
    );
  });

  it('raced by two processes ends the same in both: the ledger is the arbiter', () => {
    fc.assert(
      fc.property(anyOrigin, fc.array(anyInput, { minLength: 1 }), fc.array(anyInput, { minLength: 1 }), (origin, one, other) => {
        const ledger = aLedger();
        const [first, second] = [lifeOf(aPayment(origin), one, ledger), lifeOf(aPayment(origin), other, ledger)];
        if (!isOpen(first) && !isOpen(second)) expect(second).toEqual(first);
      }),
    );
  });

  it('says why it ended', () => {
    fc.assert(
      fc.property(anyOrigin, anyAnswer, (origin, answer) => {
        const ended = decide(aPayment(origin), { type: 'ledger_answered', answer });
        if (ended.result !== 'next') throw new Error('an answer ends it');
        expect(reasonOf(ended.payment)).toBe(answer.result === 'refused' ? answer.reason : undefined);
      }),
    );
    expect([reasonOf(aPayment('pay')), reasonOf(aPayment('request'))]).toEqual([undefined, undefined]);
  });

  it('begins by telling whom it must', () => {
    expect(opened(aPayment('pay')).untold).toEqual(['quote']);
    expect(opened(aPayment('request')).untold).toEqual(['request_sent', 'request']);
  });
});
