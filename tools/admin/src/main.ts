#!/usr/bin/env node
import { log } from '#libs/runtime';
import { LetterBox } from '#libs/contracts';
import { Command, InvalidArgumentError, Option } from 'commander';
import { backUp } from './backup.ts';
import { checkDatabase } from './check-database.ts';
import { listDeadLetters, moveDeadLetters, type Which } from './dead-letters.ts';
import { fund } from './fund.ts';
import { restore } from './restore.ts';
import { printable } from './settings.ts';
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
  .description('what the gateway gave up after many tries over hours, and what the provider refused for good')
  .addHelpText('after', '\nSettings: NATS_URL, NATS_CREDS, NATS_CA.');
const which = (command: Command) =>
  command
    .addOption(new Option('--box <box>', 'only SMS that came (inbox), or only texts to send (outbox)').choices(LetterBox.options))
    .option('--reason <reason>', 'only those given up for just this reason, as it is listed')
    .option('--older-than <hours>', 'only those given up so many hours ago or longer', wholeNumber(100_000));
which(deadLetters.command('list').description('list them, the oldest first, without their texts and numbers'))
  .option('--limit <n>', 'at most so many, 1 to 100000', wholeNumber(100_000), 100)
  .action(async (options: Which & { limit: number }) => listDeadLetters(options));
for (const [move, description] of [
  ['replay', 'drive them again; harmless to repeat'],
  ['dismiss', 'put them away: nothing more is done for them'],
] as const) {
  which(deadLetters.command(move).description(description))
    .argument('[ids...]', 'as they are listed')
    .option('--all', 'all of them')
    .addHelpText(
      'after',
      move === 'replay'
        ? '\nWhat the provider refused for good is replayed only by its id or its --reason. Exit code 1 if there was none.'
        : '\nExit code 1 if there was none.',
    )
    .action(async (ids: string[], options: Which) => exitBy(await moveDeadLetters(move, ids, options)));
}

await program.parseAsync().catch((error: unknown) => {
  console.error(printable(error));
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
