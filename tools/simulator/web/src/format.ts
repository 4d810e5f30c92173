const KENYA = '+254';
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

/** As a person in Kenya types it: `0712345678`; other numbers as they are. */
export function national(number: string): string {
  return number.startsWith(KENYA) ? `0${number.slice(KENYA.length)}` : number;
}

/** As a person reads it: `0712 345 678`. */
export function spaced(number: string): string {
  return number.startsWith(KENYA) ? national(number).replace(/^(\d{4})(\d{3})/, '$1 $2 ') : number;
}

/** The local time with seconds. */
export const timeOf = (at: number) => clock.format(at);

/** `0.4 ms`, `12 ms`, `1.2 s`. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
