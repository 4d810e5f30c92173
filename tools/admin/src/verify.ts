import { formatMoney } from '#libs/contracts';
import { ledgerSource, type TransferDocument, verify } from '#libs/ledger';
import { connectTo } from './database.ts';
import { databaseUri, ledgerKeys, setting } from './settings.ts';

/** Longer than any transfer is under way: what is newer may come while the ledger is walked. */
const UNDER_WAY_MS = 60_000;

/** Walks the ledger and prints what it found. False if anything is wrong. */
export async function verifyLedger(): Promise<boolean> {
  const [uri, keys, timeZone] = [databaseUri(), ledgerKeys(), setting('TIME_ZONE', 'that of the wallet: Africa/Nairobi')];
  const connection = await connectTo(uri);
  try {
    const transfers = connection.collection<TransferDocument>('transfers');
    const report = await verify(ledgerSource(transfers), keys, timeZone, new Date(Date.now() - UNDER_WAY_MS));
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
