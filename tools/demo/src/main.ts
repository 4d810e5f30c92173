import { type AccountId, type Currency, formatAmount, ReadLedger, refText, type ResponseOf } from '#libs/contracts';
import { type Phone, Town } from '#libs/testing';

type Ledger = ResponseOf<typeof ReadLedger>;

const bold = (text: string) => (process.stdout.isTTY ? `\u001B[1m${text}\u001B[0m` : text);

/** Both flows of two people who pay each other, and two refusals, on the real services: prints every text and the ledger after each. */
async function demo(town: Town): Promise<void> {
  title('Ada and Ben open their wallets');
  const [ada, ben] = [town.phone('Ada'), town.phone('Ben')];
  for (const person of [ada, ben]) {
    await says(person, `JOIN ${person.name}`);
    await hears(person, /^Welcome/);
  }
  await printLedger(town, { [ada.number]: '1,000.00', [ben.number]: '1,000.00' });

  title('Ada pays Ben');
  await says(ada, `PAY 25 ${national(ben)} lunch`);
  const [, code = ''] = await hears(ada, /\b(\d{6})\b(?!\d)(?=.*$)/);
  await says(ada, code);
  await hears(ada, /Balance KES 974\.90/);
  await hears(ben, /Balance KES 1,025\.00/);
  await printLedger(town, { [ada.number]: '974.90', [ben.number]: '1,025.00' });

  title('Ben asks Ada for money');
  await says(ben, `REQUEST ${national(ada)} 40 taxi`);
  await hears(ben, /40\.00/);
  const [, approval = ''] = await hears(ada, /\b(\d{6})\b(?!\d)(?=.*$)/);
  await says(ada, approval);
  await hears(ada, /Balance KES 934\.80/);
  await hears(ben, /Balance KES 1,065\.00/);
  await printLedger(town, { [ada.number]: '934.80', [ben.number]: '1,065.00' });

  title('More than there is');
  await says(ada, `PAY 5,000 ${national(ben)} car`);
  await hears(ada, /934\.80/);
  await printLedger(town, { [ada.number]: '934.80', [ben.number]: '1,065.00' });

  title('A request is declined');
  await says(ben, `ASK 12.50 ${national(ada)} bet`);
  await hears(ben, /12\.50/);
  const [, no = ''] = await hears(ada, /\b(\d{6})\b(?!\d)(?=.*$)/);
  await says(ada, `NO ${no}`);
  await hears(ada, /12\.50/);
  await hears(ben, /12\.50/);
  await printLedger(town, { [ada.number]: '934.80', [ben.number]: '1,065.00' });

  await town.checkInvariants();
  console.log('\nEvery text came, every balance is right, all balances sum to zero.');
}

const title = (text: string) => console.log(`\n${bold(text)}`);

/** As people write each other's numbers: 0712… */
const national = (phone: Phone) => phone.number.replace('+254', '0');

async function says(phone: Phone, text: string): Promise<void> {
  console.log(`  ${phone.name} → ${text}`);
  const status = await phone.sends(text);
  if (status !== 200) throw new Error(`the webhook was answered ${status}`);
}

async function hears(phone: Phone, pattern: RegExp): Promise<string[]> {
  const match = await phone.receives(pattern);
  console.log(`  ${phone.name} ← ${town.conversation.at(-1)?.body}`);
  return match;
}

async function printLedger(town: Town, expected: Record<string, string>): Promise<void> {
  const ledger = await town.operator.ask(ReadLedger, { limit: 1000 });
  const name = (account: AccountId) => ledger.owners[account]?.name ?? account;
  console.log('  Ledger');
  const balances = new Map<AccountId, bigint>();
  const add = (account: AccountId, amount: bigint) => balances.set(account, (balances.get(account) ?? 0n) + amount);
  let currency = 'KES' as Currency;
  for (const entry of ledger.entries) {
    if (entry.result === 'refused') {
      console.log(`    ${entry.at.toISOString().slice(11, 19)}  refused  ${entry.reason}`);
      continue;
    }
    ({ currency } = entry);
    const fee = entry.fee?.amount ?? 0n;
    add(entry.debit.account, -entry.amount - fee);
    add(entry.credit.account, entry.amount);
    if (entry.fee) add(entry.fee.account, fee);
    const amounts = `${formatAmount(entry.amount, currency).padStart(10)}  fee ${formatAmount(fee, currency)}`;
    const ref = entry.ref === undefined ? '' : refText(entry.ref);
    console.log(
      `    ${entry.at.toISOString().slice(11, 19)}  ${entry.kind.padEnd(8)} ${`${name(entry.debit.account)} → ${name(entry.credit.account)}`.padEnd(22)} ${amounts}  ${ref}`,
    );
  }
  const sum = [...balances.values()].reduce((total, balance) => total + balance, 0n);
  console.log(
    `    ${[...balances].map(([account, balance]) => `${name(account)} ${formatAmount(balance, currency)}`).join(' · ')} · sum ${formatAmount(sum, currency)}`,
  );
  checkBalances(ledger, balances, currency, expected);
  if (sum !== 0n) throw new Error(`the balances sum to ${sum}`);
}

function checkBalances(
  ledger: Ledger,
  balances: Map<AccountId, bigint>,
  currency: Currency,
  expected: Record<string, string>,
): void {
  for (const [account, owner] of Object.entries(ledger.owners)) {
    const balance = formatAmount(balances.get(account as AccountId) ?? 0n, currency);
    if (balance !== expected[owner.number])
      throw new Error(`${owner.name} should have ${expected[owner.number]}, has ${balance}`);
  }
}

console.log('Starting a database, NATS and the four services …');
const town = await Town.open({ env: { WELCOME_CREDIT: '1000.00' } });
try {
  await demo(town);
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await town.close();
}
