import { z } from 'zod';
import { Message } from './events.ts';
import { Ref } from './ref.ts';
import { rpc } from './rpc.ts';
import { Language, Memo, MinorUnits, Moment, Msisdn, Sealed, SmsId } from './values.ts';

/** What a person asks transactions to do. A code is six digits, or nine, sealed for `code:<the SMS's id>`; a PIN for `pin:<the SMS's id>`. */
export const PaymentCommand = z.discriminatedUnion('type', [
  z.object({ type: z.literal('pay'), to: Msisdn, amount: MinorUnits, memo: Memo }),
  z.object({ type: z.literal('request'), to: Msisdn, amount: MinorUnits, memo: Memo }),
  z.object({ type: z.literal('code'), code: Sealed }),
  z.object({
    type: z.literal('no'),
    of: z
      .discriminatedUnion('by', [z.object({ by: z.literal('code'), code: Sealed }), z.object({ by: z.literal('ref'), ref: Ref })])
      .optional(),
  }),
  z.object({ type: z.literal('status'), ref: Ref }),
  /** Sets a PIN; `old` is the one that it replaces, if it was given. */
  z.object({ type: z.literal('pin'), old: Sealed.optional(), pin: Sealed }),
]);
export type PaymentCommand = z.output<typeof PaymentCommand>;

/**
 * Carries out one command of one SMS. `taken`: stored here, and told from here. `answer`: it changed nothing, and the gateway tells the
 * message under the SMS's id.
 */
export const CarryOut = rpc({
  subject: 'transactions.carry_out',
  by: 'transactions',
  from: ['sms-gateway'],
  request: z.object({
    smsId: SmsId,
    from: Msisdn,
    language: Language,
    /** When the inbox recorded it: a code counts if that was before the end of what it confirms. */
    recordedAt: Moment,
    command: PaymentCommand,
  }),
  response: z.discriminatedUnion('result', [
    z.object({ result: z.literal('taken') }),
    /** `dropAt` is when the codes in it count no more. */
    z.object({ result: z.literal('answer'), message: Message, dropAt: Moment.optional() }),
  ]),
});

/** The id of the event that answers an SMS which changed nothing; a code in its message is sealed for `code:<this id>`. */
export const answerEventOf = (smsId: SmsId) => `${smsId}:answer`;
