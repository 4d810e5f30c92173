import type { AccountId, Currency, LedgerEntry, ReadLedger, ServiceName } from '#libs/contracts';
import type { MessageStatus, PostedWebhook } from '#libs/simulated-twilio';
import type { z } from 'zod';

/** A phone that the simulator plays. The number is E.164. */
export interface Phone {
  name: string;
  number: string;
}

/** One text as a phone shows it. `sent`: by the phone. Times are epoch milliseconds. */
export interface Text {
  sid: string;
  phone: string;
  direction: 'sent' | 'received';
  body: string;
  segments: number;
  status: MessageStatus;
  errorCode?: number;
  at: number;
  /** When it last changed: of a received text that is delivered, when it arrived. */
  updatedAt: number;
}

/** A question of one part to another, as a span of the asker tells it. Times are epoch milliseconds with fractions. */
export interface Hop {
  spanId: string;
  from: ServiceName;
  to: ServiceName | 'Twilio';
  /** The subject asked, or `provider send`. */
  name: string;
  at: number;
  ms: number;
  failed: boolean;
}

type Entry<Result extends LedgerEntry['result']> = Extract<LedgerEntry, { result: Result }>;

/** A document of the ledger as the page shows it: amounts and reference as people read them. `at` is epoch milliseconds. */
export type LedgerLine =
  | (Pick<Entry<'made'>, 'result' | 'transferId' | 'kind' | 'memo'> & {
      at: number;
      from: AccountId;
      to: AccountId;
      amount: string;
      fee?: string;
      ref?: string;
    })
  | (Pick<Entry<'refused'>, 'result' | 'transferId' | 'reason'> & { at: number });

/** What the ledger says in one currency when it is added up; amounts as people read them. */
export interface Books {
  currency: Currency;
  balances: { account: AccountId; amount: string }[];
  sum: string;
  /** What the sum is. `open`: not zero, but not all documents are visible yet; `wrong`: not zero, though they are. */
  state: 'zero' | 'open' | 'wrong';
}

/** What is new in the ledger: its documents, who has the accounts in them, and the books of all that was read until now. */
export interface LedgerNews {
  lines: LedgerLine[];
  owners: z.input<typeof ReadLedger.response>['owners'];
  books: Books[];
}

/** What is wrong with the parts behind the simulator, each a sentence that says what to do; absent if all is well. */
export interface Health {
  gateway?: string;
  ledger?: string;
}

/** What the server sends a page by `/events`, as JSON: first one `all`, then what changes. */
export type Live =
  | { type: 'all'; serviceNumber: string; phones: Phone[]; texts: Text[]; hops: Hop[]; ledger: LedgerNews; health: Health }
  | { type: 'phone'; phone: Phone }
  | { type: 'text'; text: Text }
  | { type: 'hops'; hops: Hop[] }
  | { type: 'ledger'; ledger: LedgerNews }
  | { type: 'health'; health: Health };

/** What `GET /webhooks` answers: how many there were; those that were posted again; those without an answer of 2xx. */
export interface PostedWebhooks {
  posted: number;
  again: PostedWebhook[];
  failed: PostedWebhook[];
}
