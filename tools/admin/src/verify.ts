import { formatMoney } from '#libs/contracts';
import { type LedgerSource, type PostedTransfer, type Side, type TransferDocument, verify } from '#libs/ledger';
import type { mongo } from 'mongoose';
import { connectTo } from './database.ts';
import { databaseUri, ledgerKeys, setting } from './settings.ts';

/** Longer than any transfer is under way: what is newer may come while the ledger is walked. */
const UNDER_WAY_MS = 60_000;

/** The index of each side's chains. */
const ORDER: Record<Side, mongo.Sort> = {
  debit: { 'debit.account': 1, 'debit.seq': 1 },
  credit: { 'credit.account': 1, 'credit.lane': 1, 'credit.seq': 1 },
  fee: { 'fee.account': 1, 'fee.lane': 1, 'fee.seq': 1 },
};

/** Walks the ledger and prints what it found. False if anything is wrong. */
export async function verifyLedger(): Promise<boolean> {
  const [uri, keys, timeZone] = [databaseUri(), ledgerKeys(), setting('TIME_ZONE', 'that of the wallet: Africa/Nairobi')];
  const connection = await connectTo(uri);
  try {
    const transfers = connection.collection<TransferDocument>('transfers');
    const report = await verify(sourceOf(transfers), keys, timeZone, new Date(Date.now() - UNDER_WAY_MS));
    console.log(`${report.transfers} transfers, ${report.refusals} refusals, ${report.accounts} accounts`);
    console.log('(what came in the last minute is checked, but not counted)');
    for (const [currency, sum] of report.sums) console.log(`all balances together: ${formatMoney(sum, currency)}`);
    for (const problem of report.problems) console.log(`PROBLEM ${problem}`);
    console.log(report.problems.length === 0 ? 'no problems' : `${report.problems.length} problems`);
    return report.problems.length === 0;
  } finally {
    await connection.close();
  }
}

function sourceOf(transfers: mongo.Collection<TransferDocument>): LedgerSource {
  return {
    byId: () => transfers.find().sort({ _id: 1 }),
    // Any account is above the empty string: a bound, so that the sparse index is walked and nothing sorted.
    bySide: (side) =>
      transfers.find({ [`${side}.account`]: { $gt: '' } }).sort(ORDER[side]) as unknown as AsyncIterable<PostedTransfer>,
  };
}
