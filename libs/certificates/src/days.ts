import { CertificateProblem } from './problem.ts';

export const DAY_MS = 86_400_000;
/** The protocol has 16 bits for a day: 2149-06-06. */
export const LAST_DAY = 0xffff;

/** Whole days, counted from 1970-01-01 (UTC): both are in it. */
export interface Days {
  fromDay: number;
  toDay: number;
}

/** The day of a moment. */
export function dayOf(moment: Date): number {
  return Math.floor(moment.getTime() / DAY_MS);
}

/** `2026-11-30`, of a day that the protocol can tell. Throws a `CertificateProblem` on anything else. */
export function parseDay(text: string): number {
  const moment = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00Z`) : new Date(NaN);
  const day = dayOf(moment);
  // Of 30 February JavaScript makes a day of March.
  if (!(day >= 0 && day <= LAST_DAY) || dateOf(day) !== text)
    throw new CertificateProblem(`must be a day from ${dateOf(0)} to ${dateOf(LAST_DAY)}, as 2026-11-30, got ${text}`);
  return day;
}

/** `2026-11-30` */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
