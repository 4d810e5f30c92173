import type { Message, MessageOf, OpenRefusal, PinOutcome, PaymentStatus, EndReason } from '#libs/contracts';

type Way = MessageOf<'not_opened'>['way'];
type Role = MessageOf<'status'>['role'];

/** One line of the last payments. Amounts without currency; `other` is absent where the system itself paid. */
export interface HistoryLine {
  direction: 'in' | 'out';
  amount: string;
  other: string | undefined;
  ref: string | undefined;
}

/** One thing that waits: for a payer with its code, for a payee with the ref that withdraws it. */
export interface OpenLine {
  role: Role;
  other: string;
  amount: string;
  code: string | undefined;
  ref: string;
}

/**
 * What each text is made of, ready to be put in: money as `KES 25.00`, people masked, all in GSM-7. `memo` is empty or begins with a
 * space, ` "lunch"`; `fee` and `held` are absent where there is none. Names, memos and lists come shortened as the segment asks.
 */
export interface Values {
  quote: { payee: string; amount: string; fee: string | undefined; memo: string; code: string; minutes: number };
  request_sent: { payer: string; amount: string; memo: string; ref: string; hours: number };
  request: { payee: string; amount: string; fee: string | undefined; memo: string; code: string; hours: number };
  paid: { payee: string; amount: string; balance: string; ref: string };
  received: { payer: string; amount: string; memo: string; balance: string; ref: string };
  not_paid: { way: Way; payee: string; amount: string; reason: EndReason; ref: string };
  not_received: { payer: string; amount: string; reason: EndReason; ref: string };
  not_opened: { way: Way; other: string; amount: string; fee: string | undefined; balance: string; reason: OpenRefusal };
  pin_code: { code: string; minutes: number };
  pin_outcome: { outcome: PinOutcome; hours: number | undefined };
  joined: { name: string; balance: string };
  already_joined: { name: string; balance: string };
  no_wallet: object;
  balance: { balance: string; held: string | undefined };
  history: { balance: string; lines: readonly HistoryLine[] };
  status: { role: Role; other: string; amount: string; status: PaymentStatus; reason: EndReason | undefined; ref: string };
  ref_unknown: { ref: string };
  open_list: { lines: readonly OpenLine[] };
  nothing_open: object;
  wrong_code: object;
  menu: object;
  help: object;
  not_understood: { command: MessageOf<'not_understood'>['command']; why: MessageOf<'not_understood'>['why']; currency: string };
  text_only: object;
}

/** The texts of one language: each of the basic GSM-7 alphabet, one segment with the longest values, and saying what to do next. */
export type Texts = { readonly [Type in Message['type']]: (values: Values[Type]) => string };
