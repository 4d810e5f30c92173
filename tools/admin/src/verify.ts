import { formatMoney } from '#libs/contracts';
import { type LedgerKeys, ledgerSource, verify } from '#libs/ledger';
import type { Connection } from 'mongoose';
import { connectTo } from './database.ts';
import { HeadsFile } from './heads.ts';
import { databaseUri, ledgerKeys, Problem, setting } from './settings.ts';

/** Longer than any transfer is under way: what is newer may come while the ledger is walked. */
const UNDER_WAY_MS = 60_000;

/**
 * Walks the ledger and prints what it found. False if anything is wrong. With `headsFile` it must also still hold what the last run left
 * there, and if all is right the file is brought up to date.
 */
export async function verifyLedger(headsFile?: string): Promise<boolean> {
  const [uri, keys, timeZone] = [databaseUri(), ledgerKeys(), setting('TIME_ZONE', 'that of the wallet: Africa/Nairobi')];
  const connection = await connectTo(uri);
  try {
    const heads = headsFile ? await HeadsFile.open(headsFile) : undefined;
    try {
      return await walk(connection, keys, timeZone, heads);
    } catch (error) {
      if (!(error instanceof Error) || !/hint .*not correspond to an existing index/.test(error.message)) throw error;
      throw new Problem('the ledger lacks an index: start the wallet, which makes it, and repeat', { cause: error });
    } finally {
      await heads?.close();
    }
  } finally {
    await connection.close();
  }
}

async function walk(connection: Connection, keys: LedgerKeys, timeZone: string, heads: HeadsFile | undefined): Promise<boolean> {
  const report = await verify(ledgerSource(connection.collection('transfers')), keys, timeZone, {
    until: new Date(Date.now() - UNDER_WAY_MS),
    ...(heads && { known: heads.left(), found: (head) => heads.add(head) }),
  });
  console.log(`${report.transfers} transfers, ${report.refusals} refusals, ${report.accounts} accounts`);
  console.log('(what came in the last minute is checked, but not counted)');
  for (const [currency, sum] of report.sums) console.log(`all balances together: ${formatMoney(sum, currency)}`);
  if (heads) console.log(`compared with the ends of ${heads.count} chains that an earlier run found`);
  for (const problem of report.problems) console.log(`PROBLEM ${problem}`);
  const good = report.problems.length === 0;
  if (good) await heads?.keep();
  console.log(good ? 'no problems' : `${report.problems.length} problems`);
  return good;
}
