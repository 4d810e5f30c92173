import { z } from 'zod';
import { Ref } from './ref.ts';
import { rpc } from './rpc.ts';
import {
  AccountId,
  Balance,
  Cause,
  Currency,
  Language,
  Memo,
  MinorUnits,
  Moment,
  Msisdn,
  Party,
  PaymentId,
  Sealed,
  SmsId,
  TransferId,
} from './values.ts';

export const TransferKind = z.enum(['payment', 'welcome', 'top_up']);
export type TransferKind = z.output<typeof TransferKind>;

/** Why the ledger says never (docs/design.md, "The ledger is the arbiter"). */
export const RefusalReason = z.enum([
  'insufficient_funds',
  'over_limit',
  'frozen',
  'receiver_full',
  'receiver_closed',
  'declined',
  'expired',
  'cancelled',
]);
export type RefusalReason = z.output<typeof RefusalReason>;

/** Why a payment came to its end without money. `id_taken`: the ledger has something else under its id, which is a fault of ours. */
export const EndReason = z.enum([...RefusalReason.options, 'id_taken']);
export type EndReason = z.output<typeof EndReason>;

/** The answer of a transfer id, for ever and whoever asks. `cause` is that of the first one who got it. Balances are read after the insert. */
export const TransferAnswer = z.discriminatedUnion('result', [
  z.object({
    result: z.literal('made'),
    kind: TransferKind,
    cause: Cause,
    payerBalance: Balance,
    payeeBalance: Balance,
    /** When the ledger made it; not in the answer of 0.2.0. */
    at: Moment.optional(),
  }),
  /** `payerBalance` if the question said whose: not in the answer of 0.2.0. */
  z.object({ result: z.literal('refused'), reason: RefusalReason, cause: Cause, payerBalance: Balance.optional() }),
  /** The id moved money before, but not this: another kind, account, amount, fee or currency. */
  z.object({ result: z.literal('id_taken'), cause: Cause }),
]);
export type TransferAnswer = z.output<typeof TransferAnswer>;

/** Moves money once: the answer of an id is its document. A refusal that is stored answers any order of its id. */
export const MakeTransfer = rpc({
  subject: 'wallet.transfer.make',
  by: 'wallet',
  from: ['transactions'],
  request: z.object({
    transferId: TransferId,
    kind: TransferKind,
    from: AccountId,
    to: AccountId,
    amount: MinorUnits,
    fee: MinorUnits,
    currency: Currency,
    paymentId: PaymentId,
    ref: Ref,
    memo: Memo,
    cause: Cause,
  }),
  response: TransferAnswer,
});

/** Says that a transfer will never be made, unless it was: then its answer is the transfer. */
export const RefuseTransfer = rpc({
  subject: 'wallet.transfer.refuse',
  by: 'wallet',
  from: ['transactions'],
  // `payer` is whose balance is asked for.
  request: z.object({ transferId: TransferId, reason: RefusalReason, cause: Cause, payer: AccountId.optional() }),
  response: TransferAnswer,
});

/** Opens a wallet for a number that has none. The same cause is answered `opened` again. Gives the welcome credit in the same call. */
export const OpenWallet = rpc({
  subject: 'wallet.open',
  by: 'wallet',
  from: ['sms-gateway'],
  request: z.object({ number: Msisdn, name: z.string().max(40), language: Language, cause: SmsId }),
  response: z.object({ result: z.enum(['opened', 'exists']), party: Party, balance: Balance, currency: Currency }),
});

/** A balance as told to its owner; `held` is what waits in escrow for others. */
export const ReadBalance = rpc({
  subject: 'wallet.balance',
  by: 'wallet',
  from: ['sms-gateway'],
  request: z.object({ number: Msisdn }),
  response: z.discriminatedUnion('result', [
    z.object({ result: z.literal('balance'), party: Party, balance: Balance, held: MinorUnits, currency: Currency }),
    z.object({ result: z.literal('no_wallet') }),
  ]),
});

/** The last transfers of a wallet, newest first, as its owner sees them. */
export const ReadStatement = rpc({
  subject: 'wallet.statement',
  by: 'wallet',
  from: ['sms-gateway'],
  request: z.object({ number: Msisdn, limit: z.number().int().min(1).max(20) }),
  response: z.discriminatedUnion('result', [
    z.object({
      result: z.literal('statement'),
      balance: Balance,
      currency: Currency,
      entries: z.array(
        z.object({
          direction: z.enum(['in', 'out']),
          kind: TransferKind,
          amount: MinorUnits,
          other: z.object({ number: Msisdn, name: z.string() }).optional(),
          ref: Ref.optional(),
          at: Moment,
        }),
      ),
    }),
    z.object({ result: z.literal('no_wallet') }),
  ]),
});

/** The terms of a payment before it is opened: who both are, what it costs, what the payer has. Changes nothing. */
export const QuoteTransfer = rpc({
  subject: 'wallet.quote',
  by: 'wallet',
  from: ['transactions'],
  request: z.object({ payer: Msisdn, payee: Msisdn, amount: MinorUnits }),
  response: z.object({
    payer: Party.optional(),
    payee: Party.optional(),
    fee: MinorUnits,
    payerBalance: Balance,
    currency: Currency,
  }),
});

/** An operator's top-up from the treasury, once per id. */
export const FundWallet = rpc({
  subject: 'wallet.fund',
  by: 'wallet',
  from: ['admin'],
  request: z.object({ transferId: TransferId, number: Msisdn, amount: MinorUnits, memo: Memo, cause: Cause }),
  response: z.discriminatedUnion('result', [
    z.object({ result: z.literal('made'), balance: Balance, currency: Currency }),
    z.object({ result: z.literal('no_wallet') }),
    /** The id moved money before, to another wallet or another amount. */
    z.object({ result: z.literal('id_taken') }),
    z.object({ result: z.literal('refused'), reason: RefusalReason }),
  ]),
});

/** Why a PIN is refused that most people choose. */
export const EasyPin = z.enum(['same_digit', 'in_a_row', 'repeated', 'year', 'common']);
export type EasyPin = z.output<typeof EasyPin>;

/** What came of one input with a PIN, for ever: nothing counts twice. */
export const PinAnswer = z.discriminatedUnion('result', [
  z.object({ result: z.literal('set') }),
  z.object({ result: z.literal('no_wallet') }),
  z.object({ result: z.literal('malformed') }),
  z.object({ result: z.literal('too_easy'), why: EasyPin }),
  /** There is a PIN already, and it did not come with the new one. */
  z.object({ result: z.literal('old_needed') }),
  /** So many more wrong ones lock it. */
  z.object({ result: z.literal('wrong'), left: z.number().int() }),
  z.object({ result: z.literal('locked'), until: Moment }),
]);
export type PinAnswer = z.output<typeof PinAnswer>;

/** Sets the PIN of a number's wallet, by the one that it has if it has one. PINs are sealed for `pin:<inputId>`, the id of the SMS that they came in. */
export const SetPin = rpc({
  subject: 'wallet.pin.set',
  by: 'wallet',
  from: ['transactions'],
  request: z.object({ number: Msisdn, inputId: SmsId, old: Sealed.optional(), pin: Sealed }),
  response: PinAnswer,
});

const LegView = z.object({ account: AccountId, seq: z.number().int(), total: MinorUnits });

/** A document of the ledger as operators read it. Minor units. */
export const LedgerEntry = z.discriminatedUnion('result', [
  z.object({
    result: z.literal('made'),
    transferId: TransferId,
    kind: TransferKind,
    currency: Currency,
    amount: MinorUnits,
    debit: LegView,
    credit: LegView.extend({ lane: z.number().int() }),
    fee: LegView.extend({ lane: z.number().int(), amount: MinorUnits }).optional(),
    ref: Ref.optional(),
    memo: z.string(),
    at: Moment,
  }),
  z.object({ result: z.literal('refused'), transferId: TransferId, reason: RefusalReason, at: Moment }),
]);
export type LedgerEntry = z.output<typeof LedgerEntry>;

/**
 * The ledger in order of time, for operators' tools: at most `limit` documents with `at` at or after `since`, or behind the document `after`
 * of that moment. Where there are `more`, ask again with the `at` of the last one as `since` and its id as `after`. Who reads on at the newest
 * end asks for the last moments once more and drops the ids already seen: a document may become visible after a later one.
 */
export const ReadLedger = rpc({
  subject: 'wallet.ledger.read',
  by: 'wallet',
  from: ['admin', 'simulator'],
  request: z.object({ since: Moment.optional(), after: TransferId.optional(), limit: z.number().int().min(1).max(1000) }),
  response: z.object({
    entries: z.array(LedgerEntry),
    /** There are more after these: a page has at most `limit` entries, and not more bytes than fit an answer. */
    more: z.boolean().default(false),
    owners: z.record(z.string(), z.object({ number: Msisdn, name: z.string() })),
  }),
});
