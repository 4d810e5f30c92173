import type { OpenRefusal, PaymentCommand, QuoteTransfer, ResponseOf } from '#libs/contracts';

/** Open codes a person may have for what they began, and as many more for what others ask of them (design.md). */
export const OPEN_MAX = 5;

/** Why a payment or request cannot be opened; undefined if it can. `openCount`: what the payer has open of this origin. */
export function refusalOfOpening(
  command: Extract<PaymentCommand, { type: 'pay' | 'request' }>,
  from: string,
  quote: ResponseOf<typeof QuoteTransfer>,
  openCount: number,
): OpenRefusal | undefined {
  const [own, other] = command.type === 'pay' ? [quote.payer, quote.payee] : [quote.payee, quote.payer];
  if (!own) return 'no_wallet';
  if (command.to === from) return 'to_self';
  if (!other) return command.type === 'pay' ? 'payee_has_no_wallet' : 'payer_has_no_wallet';
  if (command.type === 'pay' && quote.payerBalance < command.amount + quote.fee) return 'insufficient_funds';
  if (openCount >= OPEN_MAX) return 'too_many_open';
  return undefined;
}
