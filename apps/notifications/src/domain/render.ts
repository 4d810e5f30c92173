import { formatAmount, formatMoney, refText } from '#libs/contracts';
import type { Currency, Language, Message, MinorUnits, Sealed } from '#libs/contracts';
import { fitting, toGsm7 } from './gsm7.ts';
import { maskedPerson, personWithNumber } from './mask.ts';
import { en } from './texts/en.ts';
import type { Texts } from './texts/texts.ts';
import { harmless, shortened } from './wording.ts';

const TEXTS: Record<Language, Texts> = { en };

/**
 * The text that tells `message`: one GSM-7 segment, whatever the names and memos in it. What gives way to fit is the memo, the name in a
 * greeting, and the older lines of a list. `openCode` opens the sealed codes of the message.
 */
export function renderText(message: Message, language: Language, currency: Currency, openCode: (code: Sealed) => string): string {
  const texts = TEXTS[language];
  const money = (amount: bigint) => formatMoney(amount, currency);
  const moneyIfAny = (amount: MinorUnits) => (amount > 0n ? money(amount) : undefined);
  switch (message.type) {
    case 'quote': {
      const { fee, code, minutes } = message;
      const values = {
        payee: personWithNumber(message.payee),
        amount: money(message.amount),
        fee: moneyIfAny(fee),
        code: openCode(code),
        minutes,
      };
      return withMemo(message.memo, (memo) => texts.quote({ ...values, memo }));
    }
    case 'request': {
      const { fee, code, hours } = message;
      const values = {
        payee: personWithNumber(message.payee),
        amount: money(message.amount),
        fee: moneyIfAny(fee),
        code: openCode(code),
        hours,
      };
      return withMemo(message.memo, (memo) => texts.request({ ...values, memo }));
    }
    case 'request_sent': {
      const { hours } = message;
      const values = { payer: personWithNumber(message.payer), amount: money(message.amount), ref: refText(message.ref), hours };
      return withMemo(message.memo, (memo) => texts.request_sent({ ...values, memo }));
    }
    case 'received': {
      const { amount, balance, ref } = message;
      const values = { payer: maskedPerson(message.payer), amount: money(amount), balance: money(balance), ref: refText(ref) };
      return withMemo(message.memo, (memo) => texts.received({ ...values, memo }));
    }
    case 'paid': {
      const { amount, balance, ref } = message;
      return texts.paid({
        payee: maskedPerson(message.payee),
        amount: money(amount),
        balance: money(balance),
        ref: refText(ref),
      });
    }
    case 'not_paid': {
      const { way, payee, amount, reason, ref } = message;
      return texts.not_paid({ way, payee: maskedPerson(payee), amount: money(amount), reason, ref: refText(ref) });
    }
    case 'not_received': {
      const { payer, amount, reason, ref } = message;
      return texts.not_received({ payer: maskedPerson(payer), amount: money(amount), reason, ref: refText(ref) });
    }
    case 'not_opened': {
      const { way, other, amount, fee, balance, reason } = message;
      const values = { amount: money(amount), fee: moneyIfAny(fee), balance: money(balance) };
      return texts.not_opened({ way, other: personWithNumber(other), reason, ...values });
    }
    case 'pin_code':
      return texts.pin_code({ code: openCode(message.code), minutes: message.minutes });
    case 'pin_outcome':
      return texts.pin_outcome({ outcome: message.outcome, hours: message.hours });
    case 'joined':
    case 'already_joined': {
      const name = harmless(message.name);
      const balance = money(message.balance);
      return fitting(name.length, (length) => texts[message.type]({ name: shortened(name, length), balance }));
    }
    case 'balance':
      return texts.balance({ balance: money(message.balance), held: moneyIfAny(message.held) });
    case 'history': {
      const lines = message.entries.map(({ direction, amount, other, ref }) => ({
        direction,
        amount: formatAmount(amount, currency),
        other: other && maskedPerson(other),
        ref: ref === undefined ? undefined : refText(ref),
      }));
      return fitting(lines.length, (count) => texts.history({ balance: money(message.balance), lines: lines.slice(0, count) }));
    }
    case 'status': {
      const { role, other, amount, status, reason, ref } = message;
      return texts.status({ role, other: maskedPerson(other), amount: money(amount), status, reason, ref: refText(ref) });
    }
    case 'ref_unknown':
      return texts.ref_unknown({ ref: toGsm7(message.ref) });
    case 'open_list': {
      const lines = message.entries.map(({ role, other, amount, code, ref }) => ({
        role,
        other: maskedPerson(other),
        amount: money(amount),
        code: code && openCode(code),
        ref: refText(ref),
      }));
      // Unlike a history it is told in the order in which things were opened: the newest are the last.
      return fitting(lines.length, (count) => texts.open_list({ lines: lines.slice(lines.length - count) }));
    }
    case 'not_understood':
      return texts.not_understood({ ...message, currency });
    case 'no_wallet':
    case 'nothing_open':
    case 'wrong_code':
    case 'menu':
    case 'help':
    case 'text_only':
      return texts[message.type]({});
    default:
      return message satisfies never;
  }
}

/** The longest part of the memo that fits, in its quotes, or none of it. */
function withMemo(memo: string, textOf: (memo: string) => string): string {
  const wanted = harmless(memo);
  return fitting(wanted.length, (length) => {
    const part = shortened(wanted, length);
    return textOf(part && ` "${part}"`);
  });
}
