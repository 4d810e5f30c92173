import { Currency } from '#libs/contracts';
import type { LedgerKeys } from '#libs/ledger';
import { uriProblems } from '#libs/mongo';
import { keyFile, maskNumbers, wordsOf } from '#libs/runtime';

/** What stops a command before it did anything, in words for the operator. */
export class Problem extends Error {}

/** What the operator reads of an error. Of one that is no problem of theirs, as a log has it: no number but masked, and no documents that a driver hangs on it. */
export function printable(error: unknown): string {
  if (error instanceof Problem) return error.message;
  return maskNumbers(error instanceof Error ? wordsOf(error).stack : String(error));
}

/** A setting that a command needs. */
export function setting(name: string, what: string): string {
  const value = process.env[name];
  if (!value) throw new Problem(`${name}: is missing: ${what}`);
  return value;
}

/** The database that `MONGODB_URI` names. */
export function databaseUri(): string {
  const uri = setting('MONGODB_URI', 'a database, named in the URI: mongodb://host/smspay_wallet');
  const [problem] = uriProblems(uri);
  if (problem) throw new Problem(`MONGODB_URI: ${problem}`);
  return uri;
}

/** The currency of all wallets. */
export function currency(): Currency {
  const code = setting('CURRENCY', 'ISO 4217 code of all wallets: KES');
  const read = Currency.safeParse(code);
  if (!read.success) throw new Problem(`CURRENCY: must be an ISO 4217 code such as KES, got ${code}`);
  return read.data;
}

/** The keys in the file that `LEDGER_KEY` names. */
export function ledgerKeys(): LedgerKeys {
  const path = setting('LEDGER_KEY', 'file with the keys that sign the ledger, {"<id>": "<base64 of 32 bytes>"}');
  const keys = keyFile.safeParse(path);
  if (!keys.success) throw new Problem(`LEDGER_KEY: ${keys.error.issues[0]?.message}`);
  return keys.data;
}
