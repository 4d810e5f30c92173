import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { Cause, formatMoney, FundWallet, type MinorUnits, Msisdn, parseAmount, TransferId } from '#libs/contracts';
import { asking } from './services.ts';
import { currency, Problem } from './settings.ts';

const ID_BYTES = 8;

/** Tops up a wallet from the treasury, once per id. False if it was not done. */
export async function fund(number: string, amountText: string, id = randomBytes(ID_BYTES).toString('hex')): Promise<boolean> {
  const to = Msisdn.safeParse(number);
  if (!to.success) throw new Problem(`<number>: must be a phone number such as +254712345678, got ${number}`);
  const amount = amountOf(amountText);
  const transferId = TransferId.safeParse(`fund:${id}`);
  if (!transferId.success) throw new Problem(`--id: must be at most 90 letters, digits, "-", "_" or ":", got ${id}`);

  console.log(`id ${id}: if no answer comes, repeat the command with --id ${id}`);
  const answer = await asking((services) =>
    services.ask(FundWallet, {
      transferId: transferId.data,
      number: to.data,
      amount,
      memo: '',
      cause: Cause.parse(`operator:${userInfo().username}`),
    }),
  );
  switch (answer.result) {
    case 'made':
      console.log(
        `${number} got ${formatMoney(amount, answer.currency)}; its balance is ${formatMoney(answer.balance, answer.currency)}`,
      );
      return true;
    case 'no_wallet':
      console.log(`${number} has no wallet`);
      return false;
    case 'refused':
      console.log(`refused: ${answer.reason}`);
      return false;
    case 'id_taken':
      console.log(`refused: id ${id} was used before, for another wallet or another amount`);
      return false;
    default:
      return answer satisfies never;
  }
}

function amountOf(text: string): MinorUnits {
  const code = currency();
  const amount = parseAmount(text, code);
  if (!amount) throw new Problem(`<amount>: must be an amount of ${code} above zero, such as 25.00, got ${text}`);
  return amount;
}
