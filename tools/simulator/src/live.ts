import type { MessageStatus } from '#libs/simulated-twilio';
import type { ReadLedger } from '#libs/contracts';
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
  from: string;
  to: string;
  /** The subject asked, or `provider send`. */
  name: string;
  at: number;
  ms: number;
  failed: boolean;
}

/** A part of the ledger as the wallet answers it on the wire: the page decodes it by the contract. */
export type LedgerPart = z.input<typeof ReadLedger.response>;

/** What is wrong with the parts behind the simulator, each a sentence that says what to do; absent if all is well. */
export interface Health {
  gateway?: string;
  ledger?: string;
}

/** What the server sends a page by `/events`: first one `all`, then what changes. A part of the ledger holds only what is new. */
export type Live =
  | { type: 'all'; serviceNumber: string; phones: Phone[]; texts: Text[]; hops: Hop[]; ledger: LedgerPart; health: Health }
  | { type: 'phone'; phone: Phone }
  | { type: 'text'; text: Text }
  | { type: 'hops'; hops: Hop[] }
  | { type: 'ledger'; ledger: LedgerPart }
  | { type: 'health'; health: Health };
