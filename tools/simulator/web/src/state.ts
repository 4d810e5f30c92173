import { computed, signal } from '@preact/signals';
import type { Books, Health, Hop, LedgerLine, LedgerNews, Live, Phone, Text } from '../../src/live.ts';

/** `never`: the page has just been opened. */
export const connection = signal<'never' | 'open' | 'lost'>('never');
export const serviceNumber = signal('');
export const phones = signal<readonly Phone[]>([]);
const texts = signal<readonly Text[]>([]);
export const hops = signal<readonly Hop[]>([]);
export const health = signal<Health>({});
/** In order of time. */
export const ledger = signal<readonly LedgerLine[]>([]);
export const owners = signal<LedgerNews['owners']>({});
export const books = signal<readonly Books[]>([]);

/** What phones show: of what is sent to them, only what has reached its end of the air. */
export const shownTexts = computed(() =>
  texts.value.filter(({ direction, status }) => direction === 'sent' || ['delivered', 'undelivered', 'failed'].includes(status)),
);
export const textsByPhone = computed(() => Map.groupBy(shownTexts.value, ({ phone }) => phone));

/** Follows the server for as long as the page is open; a lost connection comes back by itself. */
export function follow(): void {
  const events = new EventSource('/events');
  events.addEventListener('open', () => (connection.value = 'open'));
  events.addEventListener('error', () => (connection.value = 'lost'));
  events.addEventListener('message', (event: MessageEvent<string>) => apply(JSON.parse(event.data) as Live));
}

/** Why the phone could not send, or be added; undefined if it was taken. */
export async function post(path: '/texts' | '/phones', body: object): Promise<string | undefined> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.ok ? undefined : ((await response.json()) as { problem: string }).problem;
  } catch {
    return 'The simulator does not answer. Start it with npm start.';
  }
}

function apply(live: Live): void {
  switch (live.type) {
    case 'all':
      serviceNumber.value = live.serviceNumber;
      phones.value = live.phones;
      texts.value = live.texts;
      hops.value = live.hops;
      health.value = live.health;
      ledger.value = [];
      append(live.ledger);
      return;
    case 'phone':
      phones.value = [...phones.value, live.phone];
      return;
    case 'text':
      texts.value = put(texts.value, live.text);
      return;
    case 'hops':
      hops.value = [...hops.value, ...live.hops];
      return;
    case 'ledger':
      append(live.ledger);
      return;
    case 'health':
      health.value = live.health;
      return;
    default:
      live satisfies never;
  }
}

function append(news: LedgerNews): void {
  owners.value = { ...owners.value, ...news.owners };
  ledger.value = [...ledger.value, ...news.lines].toSorted((one, other) => one.at - other.at);
  books.value = news.books;
}

const put = (list: readonly Text[], text: Text): readonly Text[] =>
  list.some(({ sid }) => sid === text.sid) ? list.map((one) => (one.sid === text.sid ? text : one)) : [...list, text];
