import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(ROOT + path, 'utf8');

/** The cells of each row of docs/bounds.md, by the first: what it is, its bound, its metric, what happens then. */
const rows = new Map(
  read('docs/bounds.md')
    .split('\n')
    .filter((line) => /^\| (?!what \||--)/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))
    .map((cells) => [cells[0], cells] as const),
);

/** The value of a constant of a source, or of a field of one: numbers, and other constants there, in sums of products. */
function constant(path: string, name: string): number {
  const [object, field] = name.split('.');
  const begins = field ? `const ${object} = {[^}]*\\b${field}:` : `const ${object} =`;
  const found = new RegExp(`${begins} (\\w[\\w +*]*?)(?:;|,| })`).exec(read(path));
  if (!found) throw new Error(`${path} has no constant ${name}`);
  const valueOf = (term: string) => (/^\d/.test(term) ? Number(term.replaceAll('_', '')) : constant(path, term));
  const product = (factors: string) => factors.split(' * ').reduce((value, factor) => value * valueOf(factor), 1);
  return (found[1] ?? '').split(' + ').reduce((sum, factors) => sum + product(factors), 0);
}

const INBOUND = 'apps/sms-gateway/src/inbound.service.ts';
const TWILIO = 'apps/sms-gateway/src/providers/twilio.ts';
const LETTERS = 'apps/sms-gateway/src/dead-letters.service.ts';
const NUMBERS = 'apps/sms-gateway/src/numbers.service.ts';
const CODES = 'apps/transactions/src/codes.service.ts';
const ROOM = 'apps/transactions/src/domain/waiting-room.ts';
const PAYMENTS = 'apps/transactions/src/payments.service.ts';
const PINS = 'apps/wallet/src/pins.service.ts';
const CHANGES = 'apps/transactions/src/pins.service.ts';
const PIN = 'apps/wallet/src/domain/pin.ts';
const READER = 'apps/wallet/src/ledger-reader.service.ts';
const HTTP = 'libs/nest-service/src/bounded-http-server.ts';
const REDRIVE = 'libs/redrive/src/redrive.ts';
const CLIENT = 'libs/messaging/src/rpc-client.ts';

/** The beginning of a row, and what its bound says. */
type Said = [row: string, path: string, ...constants: (string | [name: string, unit: number])[]];
const SAID: Said[] = [
  ['SMS that a gateway understands', INBOUND, 'AT_ONCE'],
  ['texts that a gateway tries to send', TWILIO, 'TEXTS_AT_ONCE'],
  ['sockets to the provider', TWILIO, 'TEXTS_AT_ONCE'],
  ['payments of which people are told', PAYMENTS, 'AT_ONCE'],
  ['changes of PINs that are told', CHANGES, 'AT_ONCE'],
  ['questions to other services under way', CLIENT, 'ASKED_MAX', ['TIMEOUT_MS', 1_000]],
  ['questions of others in work', 'libs/messaging/src/rpc-server.ts', 'TAKEN_MAX'],
  ['transfers that wait for one account', 'apps/wallet/src/turns.ts', 'WAITING_MAX'],
  ["payments that wait for each other's fee", 'libs/ledger/src/transfer.ts', 'FEE_LANES'],
  ['SMS with a code that wait for a ticket', CODES, 'TICKET_LOOKS_MAX', 'TICKET_LOOK_MS'],
  ['races for a place in a chain', 'apps/wallet/src/ledger.service.ts', 'RACES_MAX'],
  ['hashes of PINs', 'apps/wallet/src/pin-hashes.ts', 'AT_ONCE', 'WAITING_MAX'],
  ['races for the room of a number', CODES, 'RACES_MAX'],
  ['races for the room of a number', PAYMENTS, 'RACES_MAX'],
  ['races for the room of a number', NUMBERS, 'RACES_MAX'],
  ['races for the room of a number', PINS, 'RACES_MAX'],
  ['races for the room of a number', CHANGES, 'RACES_MAX'],
  ['references drawn for a payment', 'apps/transactions/src/openings.service.ts', 'REFS_MAX'],
  ['connections to the database', 'libs/mongo/src/connection.ts', 'POOL_MAX'],
  ['a metric that is read from the database', 'libs/runtime/src/metrics.ts', ['READ_MS', 1_000]],
  ['body of a request', HTTP, ['BODY_MAX_BYTES', 1_024]],
  ['fields of a form', HTTP, 'FIELDS_MAX'],
  ['time for the headers', HTTP, ['HEADERS_MAX_MS', 1_000], ['REQUEST_MAX_MS', 1_000]],
  ['connections whose request is not whole', HTTP, 'UNFINISHED_MAX'],
  ['connections', HTTP, 'CONNECTIONS_MAX'],
  ['connections not accepted yet', HTTP, 'BACKLOG'],
  ['idle connection', HTTP, ['KEPT_MS', 1_000]],
  ['connection on which nothing moves', HTTP, ['SILENCE_MAX_MS', 1_000]],
  ['the newest seq seen of each chain', 'apps/wallet/src/chains.service.ts', 'SEEN_MAX'],
  ['when a number was heard', NUMBERS, 'SEEN_MAX'],
  ['a page of the ledger', READER, ['PAGE_BYTES', 1_000], 'ENTRY_BYTES'],
  ['ids of dead letters named at once', 'tools/admin/src/dead-letters.ts', 'IDS_MAX'],
  ['a page of dead letters', 'tools/admin/src/dead-letters.ts', 'PAGE'],
  ['dead letters replayed or dismissed', LETTERS, 'AT_ONCE'],
  ['problems that `admin verify` prints', 'libs/ledger/src/verify.ts', 'PROBLEMS_MAX'],
  ['what `admin verify` holds in memory', 'libs/ledger/src/source.ts', 'PAGE'],
  ['due documents that one look reads', REDRIVE, 'POLL_MAX'],
  ['documents whose texts one look erases', 'apps/sms-gateway/src/erasure.service.ts', 'AT_ONCE'],
  ['dead letters that are counted', LETTERS, 'COUNTED_MAX'],
  ['payments that are counted as stuck', PAYMENTS, 'STUCK_COUNTED_MAX'],
  ['documents among which the oldest', REDRIVE, 'OLDEST_AMONG'],
  ['what NO lists, what HIST lists', PAYMENTS, 'LISTED_MAX'],
  ['what NO lists, what HIST lists', INBOUND, 'HISTORY_MAX'],
  ['what waits for the codes of a number', ROOM, 'OVER_MAX', 'GUESSES_MAX'],
  ['what 0.2.0 opened', PAYMENTS, 'OLDER_MAX'],
  ["messages of the provider's list", TWILIO, 'LISTED_MAX'],
  ['the reason of a dead letter', REDRIVE, 'REASON_MAX'],
  ['open payments that a person began', ROOM, 'PLACES'],
  ['wrong codes of a number', ROOM, 'GUESSES_MAX'],
  ['PINs', PIN, 'KNOWN_MIN', ['KNOWN_FOR_MS', 3_600_000], 'KNOWN_MAX'],
  ['wrong PINs', PIN, 'TRIES', ['LOCKED_FOR_MS', 3_600_000]],
  ['help that nobody asked for', NUMBERS, ['HELP_EVERY_MS', 60_000]],
  ['tries of a document that fails', REDRIVE, 'GIVEN_UP_AFTER.tries', ['GIVEN_UP_AFTER.ms', 3_600_000]],
];

describe('docs/bounds.md', () => {
  it.each(SAID)('says of %s what %s does', (beginning, path, ...constants) => {
    const names = [...rows.keys()].filter((name) => name === beginning);
    const [name = '', other] = names.length > 0 ? names : [...rows.keys()].filter((each) => each?.startsWith(beginning));
    expect([name, other]).toEqual([expect.stringContaining(beginning), undefined]);
    const numbers = (rows.get(name)?.[1] ?? '').match(/\d[\d,.]*(?<![,.])/g) ?? [];
    for (const each of constants) {
      const [what, unit] = typeof each === 'string' ? [each, 1] : each;
      expect(numbers).toContain((constant(path, what) / unit).toLocaleString('en'));
    }
  });

  it('has for each bound where it is seen, or why nowhere, and what then', () => {
    expect(rows.size).toBeGreaterThan(40);
    const metrics = read('docs/metrics.md');
    for (const [name, cells] of rows) {
      expect({ name, cells: cells.length }).toEqual({ name, cells: 4 });
      const [, , metric = '', full] = cells;
      expect({ name, metric, full }).toEqual({
        name,
        metric: expect.stringMatching(/^(none: .|as above$|`smspay_)/),
        full: expect.stringMatching(/./),
      });
      for (const [, named = ''] of metric.matchAll(/`(smspay_\w+)/g)) expect(metrics).toContain(`| \`${named}\` |`);
    }
  });
});
