import { computed, signal } from '@preact/signals';
import { type LedgerEntry, ReadLedger, type ResponseOf } from '#libs/contracts';
import { decode } from 'zod';
import type { Health, LedgerPart, Live, Phone, Text, Way } from '../../src/live.ts';

type Owners = ResponseOf<typeof ReadLedger>['owners'];

/** `never`: the page has just been opened. */
export const connection = signal<'never' | 'open' | 'lost'>('never');
export const serviceNumber = signal('');
export const phones = signal<readonly Phone[]>([]);
export const texts = signal<readonly Text[]>([]);
export const ways = signal<readonly Way[]>([]);
export const health = signal<Health>({});
export const ledger = signal<readonly LedgerEntry[]>([]);
export const owners = signal<Owners>({});

/** Texts as their phone shows them: in order of time, and only what has reached its end of the air. */
export const textsByPhone = computed(() => Map.groupBy(texts.value.filter(isShown), (text) => text.phone));

const isShown = (text: Text) => text.direction === 'sent' || text.status === 'delivered' || text.status === 'undelivered';

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
      ways.value = live.ways;
      health.value = live.health;
      ledger.value = [];
      append(live.ledger);
      return;
    case 'phone':
      phones.value = [...phones.value, live.phone];
      return;
    case 'text':
      texts.value = put(texts.value, live.text, (one) => one.sid === live.text.sid);
      return;
    case 'way':
      ways.value = put(ways.value, live.way, (one) => one.smsId === live.way.smsId);
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

function append(part: LedgerPart): void {
  const read = decode(ReadLedger.response, part);
  owners.value = { ...owners.value, ...read.owners };
  ledger.value = [...ledger.value, ...read.entries].toSorted((one, other) => one.at.getTime() - other.at.getTime());
}

const put = <T>(list: readonly T[], item: T, isSame: (one: T) => boolean): readonly T[] =>
  list.some(isSame) ? list.map((one) => (isSame(one) ? item : one)) : [...list, item];
