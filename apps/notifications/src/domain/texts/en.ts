import type { EasyPin, OpenRefusal, EndReason } from '#libs/contracts';
import type { HistoryLine, OpenLine, Texts, Values } from './texts.ts';

export const en: Texts = {
  quote: (v) =>
    `Pay ${v.amount} to ${v.payee}${v.memo}, ${fee(v.fee)}? Reply ${v.code} within ${v.minutes} min to pay. Not you? Ignore this.`,
  request_sent: (v) =>
    `You asked ${v.payer} for ${v.amount}${v.memo}. They have ${v.hours} h to answer. To withdraw it, reply NO ${v.ref}`,
  request: (v) =>
    `${v.payee} asks you for ${v.amount}${v.memo}, ${fee(v.fee)}. Reply ${v.code} within ${v.hours} h to pay, NO ${v.code} to decline.`,
  paid: (v) => `Paid ${v.amount} to ${v.payee}. Balance ${v.balance}. Ref ${v.ref}`,
  received: (v) => `You got ${v.amount} from ${v.payer}${v.memo}. Balance ${v.balance}. Ref ${v.ref}`,
  not_paid: (v) => `Not paid: ${v.amount} to ${v.payee}. ${notPaid(v)} Ref ${v.ref}`,
  not_received: (v) => `Not received: ${v.amount} from ${v.payer}. ${NOT_RECEIVED[v.reason]} Ref ${v.ref}`,
  not_opened: (v) => NOT_OPENED[v.reason](v),

  pin_code: (v) => `Reply ${v.code} within ${v.minutes} min to set your PIN. Not you? Ignore this.`,
  pin_outcome: (v) => pinOutcome(v),

  joined: (v) =>
    `Welcome to smspay${v.name && `, ${v.name}`}! Balance ${v.balance}. To pay, send PAY, the amount and the number. All commands: MENU`,
  already_joined: (v) =>
    `You have a wallet already${v.name && `, ${v.name}`}. Balance ${v.balance}. To pay, send PAY, the amount and the number. All commands: MENU`,
  no_wallet: () => 'You have no wallet yet, so nothing was done. To open one, reply JOIN and your name, like JOIN Ada',
  balance: (v) => `Balance ${v.balance}.${v.held ? ` ${v.held} more is held for others.` : ''} For your last payments, send HIST`,
  history: (v) =>
    v.lines.length > 0
      ? [`Balance ${v.balance}`, ...v.lines.map(historyLine)].join('\n')
      : `Balance ${v.balance}. No payments yet. To pay, send PAY, the amount and the number.`,
  status: (v) => `${v.amount} ${v.role === 'payer' ? 'to' : 'from'} ${v.other}: ${statusOf(v)} Ref ${v.ref}`,
  ref_unknown: (v) => `We know no payment of yours with ref ${v.ref}. Check it, or send HIST to see your last payments.`,
  open_list: ({ lines }) =>
    lines
      .map(openLine)
      .concat(lines.some(({ code }) => code) ? ['NO and a code declines.'] : [])
      .join('\n'),
  nothing_open: () => 'Nothing waits for your answer. For your last payments, send HIST',
  wrong_code: () =>
    'That code fits nothing that is open, so nothing was done. Check it and send it again, or send NO to see what is open.',
  menu: () =>
    [
      'PAY amount number words',
      'REQUEST amount number words',
      'NO: what is open',
      'NO code: decline',
      'BAL: balance',
      'HIST: last payments',
      'HIST ref: one payment',
      'JOIN name',
    ].join('\n'),
  help: () =>
    'smspay: pay people by text. New here? Send JOIN and your name. To pay, send PAY, the amount and the number. All commands: MENU',
  not_understood: (v) => notUnderstood(v),
  text_only: () =>
    'We can read words only, no pictures or sound, so nothing was done. Please send it as a text. For all commands, send MENU',
};

const fee = (fee: string | undefined) => (fee ? `fee ${fee}` : 'no fee');

function notPaid({ way, reason }: Values['not_paid']): string {
  switch (reason) {
    case 'insufficient_funds':
      return 'Your balance is too low. To see it, send BAL.';
    case 'over_limit':
      return 'It is over your limit. Try less, or later.';
    case 'frozen':
      return 'Your wallet is frozen.';
    case 'receiver_full':
      return 'They cannot receive that much now. Try less, or later.';
    case 'receiver_closed':
      return 'Their wallet is closed.';
    case 'declined':
      return 'You declined it.';
    case 'expired':
      return way === 'pay' ? 'The code did not come in time. To pay after all, send it again.' : 'You did not answer in time.';
    case 'cancelled':
      return way === 'pay' ? 'You cancelled it.' : 'They withdrew it.';
    case 'id_taken':
      return 'Something is wrong on our side. You can send it again.';
    default:
      return reason satisfies never;
  }
}

/** Why the other one did not pay is theirs to tell. */
const NOT_RECEIVED: Record<EndReason, string> = {
  insufficient_funds: 'Their payment did not go through. You can ask them again.',
  over_limit: 'Their payment did not go through. You can ask them again.',
  frozen: 'Their payment did not go through.',
  receiver_full: 'Your wallet cannot hold that much. Pay out some and ask them again.',
  receiver_closed: 'Your wallet is closed.',
  declined: 'They declined it.',
  expired: 'They did not answer in time. You can ask them again.',
  cancelled: 'You withdrew it.',
  id_taken: 'Something is wrong on our side. You can ask them again.',
};

const NOT_OPENED: Record<OpenRefusal, (values: Values['not_opened']) => string> = {
  no_wallet: () => en.no_wallet({}),
  payee_has_no_wallet: (v) =>
    `Not paid: ${v.other} has no wallet yet. Ask them to send JOIN to this number, then send ${v.amount} again.`,
  payer_has_no_wallet: (v) =>
    `Not asked: ${v.other} has no wallet yet. Ask them to send JOIN to this number, then ask for ${v.amount} again.`,
  to_self: () => 'That is your own number, so nothing was done. Check the number and send it again.',
  insufficient_funds: (v) =>
    `Not paid: ${v.amount}${v.fee ? ` and the fee ${v.fee} are` : ' is'} more than your balance ${v.balance}. Try a smaller amount.`,
  too_many_open: (v) =>
    v.way === 'pay'
      ? 'Not paid: too many of your payments wait for a code. To see them, send NO. Answer or decline one, then try again.'
      : `Not asked: too many requests wait for ${v.other} already. Try again when some are answered.`,
};

const CHANGE_PIN = 'To change it, send PIN, the old one and the new one.';

function pinOutcome({ outcome, hours }: Values['pin_outcome']): string {
  switch (outcome.result) {
    case 'set':
      return `Your PIN is set. Tell it to nobody, not even to us. ${CHANGE_PIN}`;
    case 'no_wallet':
      return 'Your PIN was not set: you have no wallet yet. To open one, send JOIN first. Then send your PIN again.';
    case 'malformed':
      return 'Your PIN was not set: it must have 4 to 8 digits. Send PIN and another one.';
    case 'too_easy':
      return `Your PIN was not set: ${EASY_PIN[outcome.why]}, so it is soon guessed. Send PIN and another one.`;
    case 'old_needed':
      return `Your PIN was not set: you have one already. ${CHANGE_PIN}`;
    case 'wrong':
      return `Your PIN was not changed: the old one is wrong. ${outcome.left} ${outcome.left === 1 ? 'try' : 'tries'} left, then it is locked for 24 h.`;
    case 'locked':
      return `Your PIN was not changed: the old one was wrong too often, so it is locked for ${hours} h. Try again then.`;
    case 'being_set':
      return 'Your PIN is being set. We tell you when it is done.';
    case 'withdrawn':
      return 'Your PIN was not set: you withdrew it.';
    case 'replaced':
      return 'Your PIN was not set: a newer one took its place. Reply the newest code.';
    case 'expired':
      return 'Your PIN was not set: the code did not come in time. Send PIN and your PIN again.';
    default:
      return outcome satisfies never;
  }
}

const EASY_PIN: Record<EasyPin, string> = {
  same_digit: 'all its digits are the same',
  in_a_row: 'its digits are in a row',
  repeated: 'it repeats itself',
  year: 'it is a year',
  common: 'many people choose it',
};

function historyLine({ direction, amount, other, ref }: HistoryLine): string {
  return [`${direction === 'in' ? '+' : '-'}${amount}`, other ?? 'smspay', ref].filter((part) => part !== undefined).join(' ');
}

function openLine({ role, amount, other, code, ref }: OpenLine): string {
  if (role === 'payee') return `NO ${ref} withdraws ${amount} from ${other}`;
  return code ? `${code} pays ${amount} to ${other}` : `NO ${ref} ends ${amount} to ${other}`;
}

function statusOf({ role, status, reason }: Values['status']): string {
  switch (status) {
    case 'awaiting':
      return role === 'payer' ? 'not paid yet. To see its code, send NO.' : 'not paid yet, it waits for their answer.';
    case 'completed':
      return 'paid.';
    case 'declined':
      return 'declined, nothing was paid.';
    case 'cancelled':
      return 'withdrawn, nothing was paid.';
    case 'expired':
      return 'not answered in time, nothing was paid.';
    case 'failed':
      return role === 'payer' && reason
        ? `not paid. ${notPaid({ way: 'pay', reason, payee: '', amount: '', ref: '' })}`
        : 'not paid.';
    default:
      return status satisfies never;
  }
}

function notUnderstood({ command, why, currency }: Values['not_understood']): string {
  switch (command) {
    case 'pay':
    case 'request':
      return transferNotUnderstood(command === 'pay' ? 'PAY' : 'REQUEST', why, currency);
    case 'no':
      return 'To decline, send NO and the code that we sent you. To see what is open, send NO alone.';
    case 'join':
      return 'To open a wallet, send JOIN and your name, in letters only, like JOIN Ada';
    case 'history':
      return 'For your last payments, send HIST alone. For one of them, send HIST and its ref.';
    case 'balance':
      return 'For your balance, send BAL alone.';
    case 'pin':
      return 'To set a PIN, send PIN and 4 to 8 digits, nothing else. To change it, send PIN, the old one and the new one. Nothing was done.';
    case 'menu':
      return 'For all commands, send MENU alone.';
    default:
      return command satisfies never;
  }
}

function transferNotUnderstood(word: string, why: Values['not_understood']['why'], currency: string): string {
  const form = `Send ${word}, the amount and the number, then any words.`;
  switch (why) {
    case 'nothing_given':
    case 'ambiguous':
      return `Which is the amount, and which the number? Nothing was done. ${form}`;
    case 'no_amount':
      return `How much? Nothing was done. ${form}`;
    case 'no_number':
      return `To which number? Nothing was done. ${form}`;
    case 'extra_words':
      return `Amount and number come first, so nothing was done. ${form}`;
    case 'amount_unclear':
      return `We were not sure of the amount, so nothing was done. Write it in ${currency}, like 25, 25.50 or 1,000, and send it again.`;
    case 'amount_is_zero':
      return `The amount was 0, so nothing was done. ${form}`;
    case 'amount_too_large':
      return 'That amount is too large, so nothing was done. Send it again with a smaller one.';
    case 'amount_too_precise':
      return `That amount has too many decimals for ${currency}, so nothing was done. Write 1,000 for a thousand, and send it again.`;
    case 'number_impossible':
      return 'That is not the number of a mobile phone, so nothing was done. Check it and send it again, with its country code if it is abroad.';
    case 'country_not_served':
      return 'That number is in a country that we do not serve, so nothing was done. Check it and send it again.';
    default:
      return why satisfies never;
  }
}
