import type { Event, Message, Recipient, Sealed, SmsId } from '#libs/contracts';
import type { CodeDigits } from './waiting-room.ts';
import { isOpen, type NotOpened, type Payment, reasonOf, type Tale } from './payment.ts';

/** How long people have, as the texts say it. */
export interface Patience {
  codeMinutes: number;
  requestHours: number;
}

/** The event that tells one tale of a payment; undefined if the payment has gone on and the tale is no longer true. `code` is that of the payment. */
export function eventOf(
  payment: Payment | NotOpened,
  tale: Tale,
  patience: Patience,
  code?: { digits: CodeDigits; seal: (eventId: string) => Sealed | undefined },
): Event | undefined {
  if (payment.state === 'not_opened') {
    const { origin, other, amount, fee, balance, reason, opener, currency } = payment;
    return {
      id: `${payment.id}:${tale}`,
      to: opener,
      currency,
      answers: payment.id as string as SmsId,
      message: { type: 'not_opened', way: origin, other, amount, fee, balance, reason },
    };
  }
  const { payer, payee, amount, fee, memo, ref, currency, dropAt } = payment;
  // A code of nine digits is told once more, in a text of its own.
  const id = code?.digits === 9 && (tale === 'quote' || tale === 'request') ? `${payment.id}:${tale}:9` : `${payment.id}:${tale}`;
  const answers = smsAnsweredBy(payment, tale);
  const to = (recipient: Recipient, message: Message, carriesCode = false): Event => ({
    id,
    to: { number: recipient.number, link: recipient.link, language: recipient.language },
    currency,
    ...(carriesCode ? { dropAt } : {}),
    ...(answers === undefined ? {} : { answers }),
    message,
  });
  switch (tale) {
    case 'quote': {
      const sealed = isOpen(payment) ? code?.seal(id) : undefined;
      return sealed && to(payer, { type: tale, payee, amount, fee, memo, code: sealed, minutes: patience.codeMinutes }, true);
    }
    case 'request': {
      const sealed = isOpen(payment) ? code?.seal(id) : undefined;
      return sealed && to(payer, { type: tale, payee, amount, fee, memo, code: sealed, hours: patience.requestHours, ref }, true);
    }
    case 'request_sent':
      return to(payee, { type: tale, payer, amount, memo, ref, hours: patience.requestHours });
    case 'paid':
      return payment.state === 'completed'
        ? to(payer, { type: tale, payee, amount, fee, balance: payment.payerBalance, ref, at: payment.paidAt })
        : undefined;
    case 'received':
      return payment.state === 'completed'
        ? to(payee, { type: tale, payer, amount, memo, balance: payment.payeeBalance, ref, at: payment.paidAt })
        : undefined;
    case 'not_paid': {
      const reason = reasonOf(payment);
      const balance = 'payerBalance' in payment ? payment.payerBalance : undefined;
      return reason && to(payer, { type: tale, way: payment.origin, payee, amount, reason, ref, balance });
    }
    case 'not_received': {
      const reason = reasonOf(payment);
      return reason && to(payee, { type: tale, payer, amount, reason, ref });
    }
    case 'not_opened':
      return undefined;
    default:
      return tale satisfies never;
  }
}

/** The SMS that a tale answers, of the one who is told it; undefined if it comes of itself, or of what another did. */
function smsAnsweredBy(payment: Payment, tale: Tale): SmsId | undefined {
  const closedBy = 'closedBy' in payment ? (payment.closedBy as string as SmsId) : undefined;
  const isBy = (who: 'payer' | 'payee') =>
    payment.state === 'failed'
      ? who === 'payer'
      : payment.state === ((payment.origin === 'pay') === (who === 'payer') ? 'cancelled' : 'declined');
  switch (tale) {
    case 'quote':
    case 'request_sent':
    case 'not_opened':
      return payment.id as string as SmsId;
    case 'paid':
      return closedBy;
    case 'not_paid':
      return isBy('payer') ? closedBy : undefined;
    case 'not_received':
      return isBy('payee') ? closedBy : undefined;
    case 'request':
    case 'received':
      return undefined;
    default:
      return tale satisfies never;
  }
}
