import { CertificateProblem, dateOf, dayOf, parseDay, type TrustList } from '#libs/certificates';
import { Command, InvalidArgumentError, Option } from 'commander';
import { issue, json, newRoot, revoke, writeTrust } from './changes.ts';
import { inspect, serverKeysOf, stateOf } from './check.ts';
import { Folder, ROOT_KEY, TRUST, updateFile, writeNew } from './folder.ts';

const ROOT_DAYS = 7_305;
const WRONG = 1;
const SOON = 2;

const today = dayOf(new Date());
const program = new Command('certs')
  .description(
    "The certificates of sealed SMS: the operator's offline root, the server's keys, the trust list (docs/certificates.md).",
  )
  .showHelpAfterError();

/** Each works in one folder. */
const command = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .requiredOption('--dir <folder>', 'where the root, the certificates and all keys are');

command('root', 'make the root, valid for 20 years from today')
  .addHelpText(
    'after',
    `\nMake it where it stays, off the network, and keep two copies of the folder. ${ROOT_KEY} goes nowhere else.`,
  )
  .action(async ({ dir }: { dir: string }) => {
    await newRoot(new Folder(dir), { fromDay: today, toDay: today + ROOT_DAYS - 1 });
    console.log(`made the root, valid to ${dateOf(today + ROOT_DAYS - 1)}`);
  });

command('issue', "make a server's certificate and its keys, and take it into the trust list")
  .addOption(new Option('--from <day>', 'its first day, as 2026-11-30').argParser(asDay).default(today, 'today'))
  .option('--days <n>', 'how many days it is valid, 1 to 7305', asDays, 730)
  .addHelpText('after', '\nAn app should ship the current certificate and the next. Needs the key of the root.')
  .action(async ({ dir, from, days }: { dir: string; from: number; days: number }) => {
    const toDay = from + days - 1;
    if (toDay < today) throw new CertificateProblem(`it would be over: its last day is ${dateOf(toDay)}`);
    const { serial, list } = await issue(new Folder(dir), { fromDay: from, toDay });
    console.log(`issued ${serial}, valid from ${dateOf(from)} to ${dateOf(toDay)}`);
    tellChange(list);
  });

command('trust', 'check all that the trust list is made of, and write it anew')
  .addHelpText('after', '\nTakes in what an `issue` that was broken off left out; only then it needs the key of the root.')
  .action(async ({ dir }: { dir: string }) => {
    const list = await writeTrust(new Folder(dir));
    const revoked = list.certificates.filter((certificate) => certificate.revoked).length;
    console.log(`${TRUST} is version ${list.version}: ${list.certificates.length} certificates, ${revoked} of them revoked`);
  });

command('revoke', 'revoke a certificate, for ever')
  .argument('<serial>', 'as `check` lists it')
  .addHelpText('after', '\nNeeds the key of the root.')
  .action(async (serial: string, { dir }: { dir: string }) => {
    const list = await revoke(new Folder(dir), serial);
    console.log(`revoked ${serial}`);
    tellChange(list);
  });

command('check', 'look at everything in the folder')
  .addOption(new Option('--today <day>', 'as if it were this day').argParser(asDay).default(today, 'the day it is'))
  .addHelpText('after', '\nExit code 0: all is right; 1: something is wrong; 2: within 60 days no certificate will be valid.')
  .action(async ({ dir, today }: { dir: string; today: number }) => {
    const { problems, warnings, isPublic, list } = await inspect(new Folder(dir), today);
    for (const certificate of list?.certificates ?? []) {
      const { serial, fromDay, toDay } = certificate;
      console.log(`${serial}  ${dateOf(fromDay)} to ${dateOf(toDay)}  ${stateOf(certificate, today)}`);
    }
    if (list) console.log(`the trust list is version ${list.version}`);
    if (list && isPublic) console.log('there are no private keys here');
    for (const problem of problems) console.error(`wrong: ${problem}`);
    for (const warning of warnings) console.error(`soon: ${warning}`);
    if (problems.length > 0) process.exitCode = WRONG;
    else if (warnings.length > 0) process.exitCode = SOON;
    else console.log('all is right');
  });

command('export', 'write what the server needs, without the key of the root, into a new file')
  .requiredOption('--out <file>', 'server-keys.json; there must be none')
  .addHelpText('after', '\nIt is secret: bring it into its Secret, then delete it. Refused if `check` finds anything wrong.')
  .action(async ({ dir, out }: { dir: string; out: string }) => {
    const keys = await serverKeysOf(new Folder(dir), today);
    await writeNew(out, json(keys));
    console.log(
      `wrote ${out}: ${keys.certificates.map(({ serial }) => serial).join(', ')}; trust list version ${keys.trust.version}`,
    );
  });

await program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof CertificateProblem ? error.message : error);
  process.exitCode = WRONG;
});

function tellChange({ version }: TrustList): void {
  console.log(`the trust list is version ${version}: ${TRUST} for the next app, ${updateFile(version)} for older ones`);
}

function asDay(text: string): number {
  try {
    return parseDay(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function asDays(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > ROOT_DAYS)
    throw new InvalidArgumentError(`must be a whole number from 1 to ${ROOT_DAYS}`);
  return days;
}
