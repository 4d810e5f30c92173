import { formatMoney } from '#libs/contracts';
import { ledgerSource, type TransferDocument, verify } from '#libs/ledger';
import { connectTo } from './database.ts';
import { readHeads, writeHeads } from './heads.ts';
import { databaseUri, ledgerKeys, setting } from './settings.ts';

/** Longer than any transfer is under way: what is newer may come while the ledger is walked. */
const UNDER_WAY_MS = 60_000;

/**
 * Walks the ledger and prints what it found. False if anything is wrong. With `headsFile` it must also still hold what the last run left
 * there, and if all is right the file is brought up to date.
 */
export async function verifyLedger(headsFile?: string): Promise<boolean> {
  const [uri, keys, timeZone] = [databaseUri(), ledgerKeys(), setting('TIME_ZONE', 'that of the wallet: Africa/Nairobi')];
  const known = headsFile ? await readHeads(headsFile) : undefined;
  const connection = await connectTo(uri);
  try {
    const transfers = connection.collection<TransferDocument>('transfers');
    const until = new Date(Date.now() - UNDER_WAY_MS);
    const report = await verify(ledgerSource(transfers), keys, timeZone, { until, ...(known ? { known } : {}) });
    console.log(`${report.transfers} transfers, ${report.refusals} refusals, ${report.accounts} accounts`);
    console.log('(what came in the last minute is checked, but not counted)');
    for (const [currency, sum] of report.sums) console.log(`all balances together: ${formatMoney(sum, currency)}`);
    if (known) console.log(`compared with the ends of ${known.size} chains that an earlier run found`);
    for (const problem of report.problems) console.log(`PROBLEM ${problem}`);
    const good = report.problems.length === 0;
    if (headsFile && good) await writeHeads(headsFile, report.heads);
    console.log(good ? 'no problems' : `${report.problems.length} problems`);
    return good;
  } finally {
    await connection.close();
  }
}
