import { z } from 'zod';
import { Ref } from './ref.ts';
import { rpc } from './rpc.ts';
import { Balance, Currency, Language, Link, Memo, MinorUnits, Moment, Msisdn, Person, Sealed, SmsId } from './values.ts';
import { EndReason, PinAnswer } from './wallet.ts';

/** Who is told. `link` is there where the person has a wallet: a waiting text never passes to the number's next owner. */
export const Recipient = z.object({ number: Msisdn, link: Link.optional(), language: Language });
export type Recipient = z.output<typeof Recipient>;

const message = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ type: z.literal(type), ...shape });

/** Why a payment or a request was not even opened. */
export const OpenRefusal = z.enum([
  'no_wallet',
  'payee_has_no_wallet',
  'payer_has_no_wallet',
  'to_self',
  'insufficient_funds',
  'too_many_open',
]);
export type OpenRefusal = z.output<typeof OpenRefusal>;

export const Way = z.enum(['pay', 'request']);

/** How a payment stands, as its people are told it. */
export const PaymentStatus = z.enum(['awaiting', 'completed', 'declined', 'cancelled', 'expired', 'failed']);
export type PaymentStatus = z.output<typeof PaymentStatus>;

/** What came of a PIN that somebody wanted to set. */
export const PinOutcome = z.discriminatedUnion('result', [
  ...PinAnswer.options,
  z.object({ result: z.enum(['being_set', 'withdrawn', 'replaced', 'expired']) }),
]);
export type PinOutcome = z.output<typeof PinOutcome>;

/**
 * What a person can be told. Each type has a text in each language (`apps/notifications/src/domain/texts`). It goes with its text as far as the outbox:
 * what a phone shows that reads more than texts, is in it. Optional is what 0.2.0 does not say.
 */
export const Message = z.discriminatedUnion('type', [
  // The life of a payment.
  message('quote', { payee: Person, amount: MinorUnits, fee: MinorUnits, memo: Memo, code: Sealed, minutes: z.number() }),
  message('request_sent', { payer: Person, amount: MinorUnits, memo: Memo, ref: Ref, hours: z.number() }),
  message('request', {
    payee: Person,
    amount: MinorUnits,
    fee: MinorUnits,
    memo: Memo,
    code: Sealed,
    hours: z.number(),
    ref: Ref.optional(),
  }),
  // When it was paid, by the ledger.
  message('paid', { payee: Person, amount: MinorUnits, fee: MinorUnits, balance: Balance, ref: Ref, at: Moment.optional() }),
  message('received', { payer: Person, amount: MinorUnits, memo: Memo, balance: Balance, ref: Ref, at: Moment.optional() }),
  /** To the one who would have paid. */
  message('not_paid', {
    way: Way,
    payee: Person,
    amount: MinorUnits,
    reason: EndReason,
    ref: Ref,
    balance: Balance.optional(),
  }),
  /** To the one who asked for the money. */
  message('not_received', { payer: Person, amount: MinorUnits, reason: EndReason, ref: Ref }),
  message('not_opened', { way: Way, other: Person, amount: MinorUnits, fee: MinorUnits, balance: Balance, reason: OpenRefusal }),
  // The life of a PIN that is set.
  message('pin_code', { code: Sealed, minutes: z.number() }),
  /** `hours`: how long it is locked still. */
  message('pin_outcome', { outcome: PinOutcome, hours: z.number().optional() }),
  // Answers that change nothing.
  message('joined', { name: z.string(), balance: Balance }),
  message('already_joined', { name: z.string(), balance: Balance }),
  message('no_wallet', {}),
  message('balance', { balance: Balance, held: MinorUnits }),
  message('history', {
    balance: Balance,
    entries: z.array(
      z.object({
        direction: z.enum(['in', 'out']),
        amount: MinorUnits,
        other: Person.optional(),
        ref: Ref.optional(),
        at: Moment,
      }),
    ),
  }),
  message('status', {
    role: z.enum(['payer', 'payee']),
    other: Person,
    amount: MinorUnits,
    status: PaymentStatus,
    reason: EndReason.optional(),
    ref: Ref,
  }),
  message('ref_unknown', { ref: z.string().max(7) }),
  message('open_list', {
    entries: z.array(
      z.object({ role: z.enum(['payer', 'payee']), other: Person, amount: MinorUnits, code: Sealed.optional(), ref: Ref }),
    ),
  }),
  message('nothing_open', {}),
  message('wrong_code', {}),
  message('menu', {}),
  message('help', {}),
  message('not_understood', {
    command: z.enum(['pay', 'request', 'no', 'join', 'history', 'balance', 'menu', 'pin']),
    why: z.enum([
      'no_amount',
      'no_number',
      'ambiguous',
      'amount_unclear',
      'amount_is_zero',
      'amount_too_large',
      'amount_too_precise',
      'number_impossible',
      'country_not_served',
      'extra_words',
      'nothing_given',
    ]),
  }),
  message('text_only', {}),
]);
export type Message = z.output<typeof Message>;
export type MessageOf<Type extends Message['type']> = Extract<Message, { type: Type }>;

/** One thing that one person is told. Its text has the id `<id>:<number>` in the outbox, so telling twice sends once. */
export const Event = z.object({
  id: z.string().min(1).max(120),
  to: Recipient,
  /** All amounts of the message. */
  currency: Currency,
  /** The text is dropped if not handed over by then: what carries a code. */
  dropAt: Moment.optional(),
  /** The SMS of this person that it answers, if any. */
  answers: SmsId.optional(),
  /** Of the server's numbers the one to send from; the gateway chooses if absent. */
  sendFrom: Msisdn.optional(),
  message: Message,
});
export type Event = z.output<typeof Event>;

/** Answering means: the gateway's outbox holds the texts of all these events. */
export const Tell = rpc({
  subject: 'notifications.tell',
  by: 'notifications',
  from: ['sms-gateway', 'transactions'],
  request: z.object({ events: z.array(Event).min(1).max(10) }),
  response: z.object({}),
});
