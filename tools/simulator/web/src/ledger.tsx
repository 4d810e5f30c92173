import type { AccountId } from '#libs/contracts';
import type { Books, LedgerLine } from '../../src/live.ts';
import { spaced, timeOf } from './format.ts';
import { books, connection, health, ledger, owners } from './state.ts';

/** The page shows this many; it adds up all. */
const SHOWN = 100;
/** A document this young lights up. */
const NEW_MS = 5_000;

/** The ledger as it grows, newest first, and what it adds up to. */
export function Ledger() {
  const lines = ledger.value;
  return (
    <section class="ledger" aria-labelledby="ledger">
      <div class="entries">
        <h2 id="ledger">The ledger</h2>
        {lines.length === 0 ? (
          <p class="empty">{emptyLedger()}</p>
        ) : (
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Kind</th>
                <th scope="col">From and to</th>
                <th scope="col" class="amount">
                  Amount
                </th>
                <th scope="col" class="amount">
                  Fee
                </th>
                <th scope="col" class="ref">
                  Ref
                </th>
              </tr>
            </thead>
            <tbody>
              {lines
                .slice(-SHOWN)
                .toReversed()
                .map((line) => (
                  <LineView key={line.transferId} line={line} />
                ))}
            </tbody>
          </table>
        )}
        {lines.length > SHOWN && (
          <p class="empty">
            The last {SHOWN} of {lines.length} documents; the sum is of all.
          </p>
        )}
      </div>
      <div class="books">
        {books.value.map((ofCurrency) => (
          <BooksView key={ofCurrency.currency} books={ofCurrency} />
        ))}
      </div>
    </section>
  );
}

function emptyLedger(): string {
  if (connection.value !== 'open' || health.value.ledger) return 'The ledger cannot be read now.';
  return 'No money has moved yet. A phone that sends JOIN opens a wallet, and the treasury gives it its welcome credit.';
}

function LineView({ line }: { line: LedgerLine }) {
  if (line.result === 'refused') {
    return (
      <tr class="refused">
        <td class="time">{timeOf(line.at)}</td>
        <td class="kind">refused</td>
        <td class="who" colSpan={4}>
          {line.reason.replaceAll('_', ' ')}: this transfer will never be made
        </td>
      </tr>
    );
  }
  return (
    <tr class={Date.now() - line.at < NEW_MS ? 'new' : ''}>
      <td class="time">{timeOf(line.at)}</td>
      <td class="kind">{line.kind.replaceAll('_', ' ')}</td>
      <td class="who">
        {ownerOf(line.from)}{' '}
        <span role="img" aria-label="to">
          →
        </span>{' '}
        {ownerOf(line.to)}
        {line.memo && <q>{line.memo}</q>}
      </td>
      <td class="amount">{line.amount}</td>
      <td class="amount fee">{line.fee}</td>
      <td class="ref">{line.ref}</td>
    </tr>
  );
}

const SUM: Record<Books['state'], string> = {
  zero: 'zero, as it must always be',
  open: 'not all documents are visible yet',
  wrong: 'must be zero: money came or went',
};

function BooksView({ books: { balances, sum, state } }: { books: Books }) {
  return (
    <>
      <h2>Balances</h2>
      <dl>
        {balances
          .map(({ account, amount }) => ({ owner: ownerOf(account), amount, account }))
          .toSorted(
            (one, other) =>
              Number(isPerson(other.account)) - Number(isPerson(one.account)) || one.owner.localeCompare(other.owner),
          )
          .map(({ owner, amount, account }) => (
            <div key={account}>
              <dt>
                {owner}
                <small>{numberOf(account)}</small>
              </dt>
              <dd>{amount}</dd>
            </div>
          ))}
      </dl>
      <p class={`sum ${state}`} role="status">
        <span>
          Sum of all
          <small>{SUM[state]}</small>
        </span>
        <strong>{sum}</strong>
      </p>
    </>
  );
}

const isPerson = (account: AccountId) => account.startsWith('wallet:');

function ownerOf(account: AccountId): string {
  const owner = owners.value[account];
  if (owner) return owner.name || spaced(owner.number);
  const [kind = account] = account.split(':');
  return kind.slice(0, 1).toUpperCase() + kind.slice(1);
}

function numberOf(account: AccountId): string {
  const owner = owners.value[account];
  return owner ? spaced(owner.number) : account;
}
