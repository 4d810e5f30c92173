import type { OpenRefusal, PaymentCommand, QuoteTransfer, ResponseOf } from '#libs/contracts';

/** Why a payment or request cannot be opened; undefined if it can, if there is a place for it. */
export function refusalOfOpening(
  command: Extract<PaymentCommand, { type: 'pay' | 'request' }>,
  from: string,
  quote: ResponseOf<typeof QuoteTransfer>,
): OpenRefusal | undefined {
  const [own, other] = command.type === 'pay' ? [quote.payer, quote.payee] : [quote.payee, quote.payer];
  if (!own) return 'no_wallet';
  if (command.to === from) return 'to_self';
  if (!other) return command.type === 'pay' ? 'payee_has_no_wallet' : 'payer_has_no_wallet';
  if (command.type === 'pay' && quote.payerBalance < command.amount + quote.fee) return 'insufficient_funds';
  return undefined;
}
