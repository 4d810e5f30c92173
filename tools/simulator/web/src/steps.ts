import type { Hop, Phone, Text } from '../../src/live.ts';

/** A part of the way as the map shows it: both ends of the air are the phones. */
export type Part = 'phones' | Hop['from' | 'to'];

/** One step of the way. `ms` is undefined where nobody measures it; times are epoch milliseconds. */
export interface Step {
  id: string;
  from: Part;
  to: Part;
  /** Who is at the phones' end. */
  phone?: string;
  what: string;
  at: number;
  ms?: number | undefined;
  failed: boolean;
}

const WINDOW_MS = 30_000;

/** The name of the phone with a number. */
export const nameOf = (phones: readonly Phone[]) => (number: string) =>
  phones.find((phone) => phone.number === number)?.name ?? number;

/** The last text that a phone sent; undefined before the first. */
export function lastSent(texts: readonly Text[]): Text | undefined {
  return texts
    .filter(({ direction }) => direction === 'sent')
    .reduce<Text | undefined>((last, text) => (last && last.at > text.at ? last : text), undefined);
}

/**
 * The way of one text, there and back, in order of time: the simulator's own times at the ends, the services' spans between. `texts` are
 * those that phones show. Whatever happens within the window is taken to be the doing of this text, the last one sent.
 */
export function stepsOf(sent: Text, texts: readonly Text[], hops: readonly Hop[], phones: readonly Phone[]): Step[] {
  const name = nameOf(phones);
  const isDoing = ({ at }: { at: number }) => at >= sent.at && at < sent.at + WINDOW_MS;
  const taken = sent.status === 'received';
  const there: Step[] = [
    { id: `${sent.sid} sms`, from: 'phones', to: 'Twilio', phone: name(sent.phone), what: 'SMS', at: sent.at, failed: false },
    {
      id: `${sent.sid} post`,
      from: 'Twilio',
      to: 'sms-gateway',
      what: 'POST /sms/inbound',
      at: sent.at,
      ms: taken ? sent.updatedAt - sent.at : undefined,
      failed: sent.errorCode !== undefined,
    },
  ];
  const between = hops.filter(isDoing).map((hop): Step => ({
    id: hop.spanId,
    from: hop.from,
    to: hop.to,
    what: hop.name,
    at: hop.at,
    ms: hop.ms,
    failed: hop.failed,
  }));
  const back = texts
    .filter((text) => text.direction === 'received' && isDoing(text))
    .map((text): Step => ({
      id: `${text.sid} sms`,
      from: 'Twilio',
      to: 'phones',
      phone: name(text.phone),
      what: 'SMS',
      at: text.at,
      ms: text.updatedAt - text.at,
      failed: text.status === 'undelivered' || text.status === 'failed',
    }));
  return [...there, ...between, ...back].toSorted((one, other) => one.at - other.at);
}
