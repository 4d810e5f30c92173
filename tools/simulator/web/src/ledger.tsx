import { type AccountId, formatAmount, formatMoney, type LedgerEntry, refText } from '#libs/contracts';
import { type Books, booksOf } from './books.ts';
import { spaced, timeOf } from './format.ts';
import { connection, health, ledger, owners } from './state.ts';

/** The page shows this many; it adds up all. */
const SHOWN = 100;
/** A document this young lights up. */
const NEW_MS = 5_000;

/** The ledger as it grows, newest first, and what it adds up to. */
export function Ledger() {
  const entries = ledger.value;
  return (
    <section class="ledger" aria-labelledby="ledger">
      <div class="entries">
        <h2 id="ledger">The ledger</h2>
        {entries.length === 0 ? (
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
              {entries
                .slice(-SHOWN)
                .toReversed()
                .map((entry) => (
                  <EntryView key={entry.transferId} entry={entry} />
                ))}
            </tbody>
          </table>
        )}
        {entries.length > SHOWN && (
          <p class="empty">
            The last {SHOWN} of {entries.length} documents; the sum is of all.
          </p>
        )}
      </div>
      <div class="books">
        {booksOf(entries).map((books) => (
          <BooksView key={books.currency} books={books} />
        ))}
      </div>
    </section>
  );
}

function emptyLedger(): string {
  if (connection.value !== 'open' || health.value.ledger) return 'The ledger cannot be read now.';
  return 'No money has moved yet. A phone that sends JOIN opens a wallet, and the treasury gives it its welcome credit.';
}

function EntryView({ entry }: { entry: LedgerEntry }) {
  if (entry.result === 'refused') {
    return (
      <tr class="refused">
        <td class="time">{timeOf(entry.at)}</td>
        <td class="kind">refused</td>
        <td class="who" colSpan={4}>
          {entry.reason.replaceAll('_', ' ')}: this transfer will never be made
        </td>
      </tr>
    );
  }
  return (
    <tr class={Date.now() - entry.at.getTime() < NEW_MS ? 'new' : ''}>
      <td class="time">{timeOf(entry.at)}</td>
      <td class="kind">{entry.kind.replaceAll('_', ' ')}</td>
      <td class="who">
        {ownerOf(entry.debit.account)}{' '}
        <span role="img" aria-label="to">
          →
        </span>{' '}
        {ownerOf(entry.credit.account)}
        {entry.memo && <q>{entry.memo}</q>}
      </td>
      <td class="amount">{formatAmount(entry.amount, entry.currency)}</td>
      <td class="amount fee">{entry.fee && formatAmount(entry.fee.amount, entry.currency)}</td>
      <td class="ref">{entry.ref !== undefined && refText(entry.ref)}</td>
    </tr>
  );
}

function BooksView({ books: { currency, balances, sum, complete } }: { books: Books }) {
  const isZero = sum === 0n;
  return (
    <>
      <h2>Balances</h2>
      <dl>
        {balances
          .map(({ account, balance }) => ({ owner: ownerOf(account), balance, account }))
          .toSorted(
            (one, other) =>
              Number(isPerson(other.account)) - Number(isPerson(one.account)) || one.owner.localeCompare(other.owner),
          )
          .map(({ owner, balance, account }) => (
            <div key={account}>
              <dt>
                {owner}
                <small>{numberOf(account)}</small>
              </dt>
              <dd>{formatAmount(balance, currency)}</dd>
            </div>
          ))}
      </dl>
      <p class={`sum ${isZero ? 'zero' : complete ? 'wrong' : 'open'}`} role="status">
        <span>
          Sum of all
          <small>
            {isZero
              ? 'zero, as it must always be'
              : complete
                ? 'must be zero: money came or went'
                : 'not all documents are visible yet'}
          </small>
        </span>
        <strong>{formatMoney(sum, currency)}</strong>
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
