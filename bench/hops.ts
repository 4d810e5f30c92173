import { CarryOut, MakeTransfer, QueueTexts, QuoteTransfer, Tell } from '#libs/contracts';
import type { Town } from '#libs/testing';
import type { Measured } from './load.ts';
import type { Hop } from './results.ts';

/** Seconds that all questions have taken until now, by subject, as their askers measured them. */
export type Asked = ReadonlyMap<string, number>;

const SECONDS = /^smspay_rpc_seconds_sum\{subject="([^"]+)",[^}]*\} (\S+)$/gm;

/** Reads the metrics of all services. */
export async function askedUntilNow(town: Town): Promise<Asked> {
  const seconds = new Map<string, number>();
  for (const { port } of town.processes) {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const [, subject = '', sum] of metrics.matchAll(SECONDS))
      seconds.set(subject, (seconds.get(subject) ?? 0) + Number(sum));
  }
  return seconds;
}

/**
 * Where the time of a payment goes: what each hop took, less the hops that it asked. Answers go back while the next hop works already, so
 * hops overlap a little, and what is left for sending is the least it took.
 */
export function hopsBetween(before: Asked, after: Asked, { latenciesMs, webhookMs }: Measured): Hop[] {
  const payments = latenciesMs.length;
  const ms = ({ subject }: { subject: string }) => (((after.get(subject) ?? 0) - (before.get(subject) ?? 0)) * 1000) / payments;
  const hops = [
    // Of the PAY and of the code.
    { name: 'webhook: signature and inbox', ms: 2 * webhookMs },
    { name: 'transactions: rules, payment stored', ms: ms(CarryOut) - ms(QuoteTransfer) - ms(MakeTransfer) },
    { name: 'wallet: quote', ms: ms(QuoteTransfer) },
    { name: 'wallet: transfer', ms: ms(MakeTransfer) },
    { name: 'notifications: texts', ms: ms(Tell) - ms(QueueTexts) },
    { name: 'outbox: texts stored', ms: ms(QueueTexts) },
  ];
  const whole = latenciesMs.reduce((sum, latency) => sum + latency, 0) / payments;
  return [...hops, { name: 'sending: try stored, provider, phone', ms: whole - hops.reduce((sum, hop) => sum + hop.ms, 0) }];
}
