import { Tell } from './events.ts';
import { DismissDeadLetters, ListDeadLetters, LookForOpenSms, QueueTexts, ReplayDeadLetters } from './gateway.ts';
import { CarryOut } from './payments.ts';
import type { Asker, Contract } from './rpc.ts';
import {
  FundWallet,
  MakeTransfer,
  OpenWallet,
  QuoteTransfer,
  ReadBalance,
  ReadLedger,
  ReadStatement,
  RefuseTransfer,
  SetPin,
} from './wallet.ts';

/** Every contract there is. */
export const CONTRACTS: readonly Contract[] = [
  CarryOut,
  MakeTransfer,
  RefuseTransfer,
  OpenWallet,
  ReadBalance,
  ReadStatement,
  QuoteTransfer,
  FundWallet,
  SetPin,
  ReadLedger,
  Tell,
  QueueTexts,
  LookForOpenSms,
  ListDeadLetters,
  ReplayDeadLetters,
  DismissDeadLetters,
];

/** Whoever may have a credential. */
export const ASKERS: readonly Asker[] = ['sms-gateway', 'transactions', 'wallet', 'notifications', 'admin', 'simulator'];

/** What a release is run for, its SMSPAY_MODE. */
export type Mode = 'production' | 'development';

/** Who has one in a mode: the simulator reads the whole ledger, so where money is real NATS does not know it. */
export const askersIn = (mode: Mode): readonly Asker[] =>
  mode === 'development' ? ASKERS : ASKERS.filter((asker) => asker !== 'simulator');

/** What a credential may do on NATS: exactly what the contracts give it, an inbox prefix of its own, and answers to what it was asked. */
export interface Permissions {
  publish: string[];
  subscribe: string[];
  allowResponses: boolean;
}

/** The prefix under which a service receives its replies. */
export const inboxPrefix = (asker: Asker) => `_INBOX_${asker}`;

/** The permissions of one credential, derived from the contracts. A queue subscription is allowed as `<subject> <queue>`. */
export function permissionsOf(asker: Asker): Permissions {
  const answers = CONTRACTS.filter((contract) => contract.by === asker);
  return {
    publish: CONTRACTS.filter((contract) => contract.from.includes(asker)).map((contract) => contract.subject),
    subscribe: [`${inboxPrefix(asker)}.>`, ...answers.map((contract) => `${contract.subject} ${asker}`)],
    allowResponses: answers.length > 0,
  };
}

/** What every credential is tried with: the subject of each contract, an inbox of each asker, one of the system, and one that means nothing. */
export const TRIED_SUBJECTS: readonly string[] = [
  ...CONTRACTS.map((contract) => contract.subject),
  ...ASKERS.map((asker) => `${inboxPrefix(asker)}.x`),
  '$SYS.REQ.SERVER.PING',
  'anything',
];
