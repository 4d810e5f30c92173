#!/usr/bin/env node
import { log } from '#libs/process';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { backUp } from './backup.ts';
import { checkDatabase } from './check-database.ts';
import { listDeadLetters, replayDeadLetter } from './dead-letters.ts';
import { fund } from './fund.ts';
import { restore } from './restore.ts';
import { Problem } from './settings.ts';
import { verifyLedger } from './verify.ts';

// What the libs log is for services; here the operator reads what the command prints.
log.level = 'silent';

const program = new Command('admin')
  .description("The operators' command line. Settings come from the environment, as in docs/settings.md.")
  .showHelpAfterError();

program
  .command('verify')
  .description('walk the whole ledger: every hash, every chain, every total; all balances together must be zero')
  .option('--heads <file>', 'the end of each chain as the last run left it: must still be there; written anew if all is right')
  .addHelpText(
    'after',
    "\nReads the wallet's database alone and may run beside it. Without --heads it cannot see that the newest transfers are gone;\n" +
      'keep the file where nobody writes who can write to the database.\n' +
      'Settings: MONGODB_URI (of the wallet), LEDGER_KEY, TIME_ZONE. Exit code 1 on any problem.',
  )
  .action(async ({ heads }: { heads?: string }) => exitBy(await verifyLedger(heads)));

program
  .command('check-database')
  .description('check that a database engine holds what the ledger rests on')
  .addHelpText(
    'after',
    '\nWorks in a scratch collection of the database that MONGODB_URI names, and drops it.\nExit code 1 if any check fails: put no money there.',
  )
  .action(async () => exitBy(await checkDatabase()));

program
  .command('backup')
  .description('copy whole databases, as they all are at one moment, into a new folder')
  .argument('<folder>', 'where backups are kept')
  .requiredOption('--databases <names...>', 'smspay_sms_gateway smspay_transactions smspay_wallet')
  .option('--keep <n>', 'remove all but the newest n, 1 to 1000', wholeNumber(1_000), 7)
  .addHelpText('after', '\nWorks beside the services. Settings: MONGODB_URI, of a user who may read these databases.')
  .action(async (folder: string, { databases, keep }: { databases: string[]; keep: number }) => backUp(folder, databases, keep));

program
  .command('restore')
  .description('bring a backup back into empty databases')
  .argument('<folder>', 'where backups are kept')
  .argument('[name]', 'which one: 2026-11-28T02-00-00Z (default: the newest)')
  .addHelpText(
    'after',
    '\nNo service may run meanwhile. If it stops half-way, repeat it.\n' +
      'Settings: MONGODB_URI, of a user who may write to these databases.',
  )
  .action(async (folder: string, name?: string) => restore(folder, name));

program
  .command('fund')
  .description('top up a wallet from the treasury, once per id')
  .argument('<number>', 'phone number of the wallet: +254712345678')
  .argument('<amount>', 'as people write it: 1000.00')
  .option('--id <id>', 'id of this top-up; repeated, it is made once (default: a random one, which is printed)')
  .addHelpText('after', '\nSettings: NATS_URL, NATS_CREDS, NATS_CA, CURRENCY. Exit code 1 if it was not made.')
  .action(async (number: string, amount: string, { id }: { id?: string }) => exitBy(await fund(number, amount, id)));

const deadLetters = program
  .command('dead-letters')
  .description('what the gateway gave up after its counted tries')
  .addHelpText('after', '\nSettings: NATS_URL, NATS_CREDS, NATS_CA.');
deadLetters
  .command('list')
  .description('list them, without their texts and numbers')
  .option('--limit <n>', 'at most so many, 1 to 100', wholeNumber(100), 100)
  .action(async ({ limit }: { limit: number }) => listDeadLetters(limit));
deadLetters
  .command('replay')
  .description('drive one again; harmless to repeat')
  .addArgument(new Argument('<what>', 'where it lies').choices(['inbox', 'outbox']))
  .argument('<id>', 'as it is listed')
  .action(async (what: 'inbox' | 'outbox', id: string) => exitBy(await replayDeadLetter(what, id)));

await program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Problem ? error.message : error);
  process.exitCode = 1;
});
// A NATS that did not answer is still being waited for.
process.exit();

function exitBy(good: boolean): void {
  if (!good) process.exitCode = 1;
}

function wholeNumber(max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!Number.isInteger(number) || number < 1 || number > max)
      throw new InvalidArgumentError(`must be a whole number from 1 to ${max}`);
    return number;
  };
}
