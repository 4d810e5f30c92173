import { setTimeout as pause } from 'node:timers/promises';
import { collectDefaultMetrics, Counter, Gauge, Histogram, register } from 'prom-client';

collectDefaultMetrics();

/** Prometheus waits 10 s for all metrics; the database is given up after 3 s. */
const READ_MS = 4_000;
type Reading = number | Record<string, number>;

/** A counter; its name ends in `_total`. Labels come from closed sets: never an id or a number. */
export function counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
  return new Counter({ name, help, labelNames });
}

/** Seconds, unless `buckets` says otherwise. */
export function histogram<Label extends string>(
  name: string,
  help: string,
  labelNames: readonly Label[] = [],
  buckets: number[] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
): Histogram<Label> {
  return new Histogram({ name, help, labelNames, buckets });
}

/** A value, or one for each value of `label`, read when Prometheus asks; a read that fails or takes too long leaves the last ones. */
export function gauge(name: string, help: string, read?: () => Reading | Promise<Reading>, label?: string): Gauge {
  return new Gauge({
    name,
    help,
    labelNames: label ? [label] : [],
    ...(read && {
      async collect() {
        const late = pause(READ_MS, undefined, { ref: false });
        const reading = await Promise.race([read(), late]).catch(() => undefined);
        if (typeof reading === 'number') this.set(reading);
        else if (label) for (const [of, value] of Object.entries(reading ?? {})) this.set({ [label]: of }, value);
      },
    }),
  });
}

/** The text that Prometheus reads. */
export const metricsText = () => register.metrics();
export const metricsType = () => register.contentType;
