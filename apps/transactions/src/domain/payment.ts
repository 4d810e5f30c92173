import type {
  Cause,
  Currency,
  MinorUnits,
  OpenRefusal,
  Party,
  PaymentId,
  Person,
  Recipient,
  Ref,
  EndReason,
  TransferAnswer,
} from '#libs/contracts';
import type { CodeDigits } from './waiting-room.ts';

/** What two people agree on, fixed when the payment is opened. Minor units. */
export interface Terms {
  id: PaymentId;
  ref: Ref;
  /** `pay`: the payer began it. `request`: the payee asked for it. Either way the payer holds the code. */
  origin: 'pay' | 'request';
  /** How the money moves; `hold` comes when people without a wallet can be paid. */
  way: 'direct';
  payer: Party;
  payee: Party;
  amount: MinorUnits;
  fee: MinorUnits;
  currency: Currency;
  memo: string;
  openedAt: Date;
  /** The code's text is dropped if not handed over by then. */
  dropAt: Date;
  /** A code counts if the inbox recorded it before this. */
  endsAt: Date;
  /** The timer asks the ledger to refuse only now, so that a code that counts is understood first. */
  refuseAt: Date;
  /** Digits of the code that its payer is told: 6, and 9 once more while their codes are being guessed. */
  codeDigits: CodeDigits;
  /** Of what its code is computed (`Waiting`), for processes of 0.2.0: those look for it here, and nowhere else. */
  codeN: number;
}

/** How a payment stands; a field exists only where it means something. `closedBy` is the cause whose answer the ledger has. */
export type Standing =
  | { state: 'awaiting_confirmation' }
  | { state: 'awaiting_approval' }
  | { state: 'completed'; payerBalance: bigint; payeeBalance: bigint; paidAt?: Date; closedBy: Cause }
  | { state: 'failed'; reason: EndReason; payerBalance?: bigint; closedBy: Cause }
  | { state: 'declined'; payerBalance?: bigint; closedBy: Cause }
  | { state: 'cancelled'; payerBalance?: bigint; closedBy: Cause }
  | { state: 'expired'; payerBalance?: bigint; closedBy: Cause };

/** A payment in each of its states. */
export type Payment = Terms & Standing;

type OpenPayment = Extract<Payment, { state: 'awaiting_confirmation' | 'awaiting_approval' }>;

/** What was asked for and could not even be opened; kept, so that the SMS has one outcome for ever. */
export interface NotOpened {
  id: PaymentId;
  state: 'not_opened';
  origin: 'pay' | 'request';
  opener: Recipient;
  other: Person;
  amount: MinorUnits;
  fee: MinorUnits;
  balance: bigint;
  currency: Currency;
  reason: OpenRefusal;
  openedAt: Date;
}

/** What can happen to a payment. Each may come twice, late and in any order. */
export type Input =
  | { type: 'right_code'; cause: Cause }
  | { type: 'no'; by: 'payer' | 'payee'; cause: Cause }
  | { type: 'time_is_up'; cause: Cause }
  /** Somebody guesses at the payer's codes: this one gets nine digits. */
  | { type: 'code_guessed' }
  | { type: 'ledger_answered'; answer: TransferAnswer };

/** A question to the ledger, which decides between paying and ending: both ask it under the same transfer id. */
export type Question =
  | { type: 'make_transfer'; cause: Cause }
  | { type: 'refuse_transfer'; reason: 'declined' | 'cancelled' | 'expired'; cause: Cause };

/** What people are told about a payment: the types of the messages, stored untold with the state that they tell. */
export type Tale = 'quote' | 'request_sent' | 'request' | 'paid' | 'received' | 'not_paid' | 'not_received' | 'not_opened';

/** `changes` is all that changes; `untold` comes on top of what is untold already. */
export type Decision =
  | { result: 'unchanged' }
  | { result: 'ask'; question: Question }
  | { result: 'next'; payment: Payment; changes: Standing | Pick<Terms, 'codeDigits'>; untold: Tale[] };

/** What `input` makes of `payment`. Pure. `unchanged` is a normal answer: inputs come twice and late. Only the ledger's answer changes the state. */
export function decide(payment: Payment, input: Input): Decision {
  switch (payment.state) {
    case 'awaiting_confirmation':
    case 'awaiting_approval':
      switch (input.type) {
        case 'right_code':
          return { result: 'ask', question: { type: 'make_transfer', cause: input.cause } };
        case 'no':
          return {
            result: 'ask',
            question: { type: 'refuse_transfer', reason: reasonOfNo(payment, input.by), cause: input.cause },
          };
        case 'time_is_up':
          return { result: 'ask', question: { type: 'refuse_transfer', reason: 'expired', cause: input.cause } };
        case 'code_guessed':
          return payment.codeDigits === 9
            ? { result: 'unchanged' }
            : {
                result: 'next',
                payment: { ...payment, codeDigits: 9 },
                changes: { codeDigits: 9 },
                untold: [taleOfCode(payment)],
              };
        case 'ledger_answered':
          return closed(payment, input.answer);
        default:
          return input satisfies never;
      }
    case 'completed':
    case 'failed':
    case 'declined':
    case 'cancelled':
    case 'expired':
      return { result: 'unchanged' };
    default:
      return payment satisfies never;
  }
}

// Whoever began it withdraws; the other one declines.
function reasonOfNo(payment: Payment, by: 'payer' | 'payee'): 'declined' | 'cancelled' {
  return (payment.origin === 'pay') === (by === 'payer') ? 'cancelled' : 'declined';
}

function closed(payment: OpenPayment, answer: TransferAnswer): Decision {
  const next = (standing: Standing, untold: Tale[]): Decision => ({
    result: 'next',
    payment: { ...payment, ...standing },
    changes: standing,
    untold,
  });
  if (answer.result === 'made') {
    const { payerBalance, payeeBalance, cause, at } = answer;
    return next({ state: 'completed', payerBalance, payeeBalance, ...(at ? { paidAt: at } : {}), closedBy: cause }, [
      'paid',
      'received',
    ]);
  }
  if (answer.result === 'id_taken')
    return next({ state: 'failed', reason: 'id_taken', closedBy: answer.cause }, talesOfEnd(payment));
  const { reason, cause, payerBalance } = answer;
  const balance = payerBalance === undefined ? {} : { payerBalance };
  switch (reason) {
    case 'declined':
    case 'cancelled':
    case 'expired':
      return next({ state: reason, ...balance, closedBy: cause }, talesOfEnd(payment));
    case 'insufficient_funds':
    case 'over_limit':
    case 'frozen':
    case 'receiver_full':
    case 'receiver_closed':
      return next({ state: 'failed', reason, ...balance, closedBy: cause }, talesOfEnd(payment));
    default:
      return reason satisfies never;
  }
}

/** The tale that asks the payer for the code. */
export const taleOfCode = ({ origin }: Payment): Tale => (origin === 'pay' ? 'quote' : 'request');

// The payee of a payment that was only quoted never knew of it.
function talesOfEnd(terms: Terms): Tale[] {
  return terms.origin === 'request' ? ['not_paid', 'not_received'] : ['not_paid'];
}

/** The payment as it begins, with what its people are told first. */
export function opened(terms: Terms): { payment: Payment; untold: Tale[] } {
  return terms.origin === 'pay'
    ? { payment: { ...terms, state: 'awaiting_confirmation' }, untold: ['quote'] }
    : { payment: { ...terms, state: 'awaiting_approval' }, untold: ['request_sent', 'request'] };
}

/** True while the payment waits for somebody. */
export function isOpen(payment: Payment): payment is OpenPayment {
  return payment.state === 'awaiting_confirmation' || payment.state === 'awaiting_approval';
}

/** Why it ended without money; undefined if it did not. */
export function reasonOf(payment: Payment): EndReason | undefined {
  switch (payment.state) {
    case 'failed':
      return payment.reason;
    case 'declined':
    case 'cancelled':
    case 'expired':
      return payment.state;
    case 'completed':
    case 'awaiting_confirmation':
    case 'awaiting_approval':
      return undefined;
    default:
      return payment satisfies never;
  }
}
