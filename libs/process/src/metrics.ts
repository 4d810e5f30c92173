import { collectDefaultMetrics, Counter, Gauge, Histogram, register } from 'prom-client';

collectDefaultMetrics();

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

/** A value read when Prometheus asks; a failing read leaves the last one. */
export function gauge(name: string, help: string, read: () => Promise<number>): Gauge {
  return new Gauge({
    name,
    help,
    async collect() {
      await read().then(
        (value) => this.set(value),
        () => undefined,
      );
    },
  });
}

/** The text that Prometheus reads. */
export const metricsText = () => register.metrics();
export const metricsType = () => register.contentType;
