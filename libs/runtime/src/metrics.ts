import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Host } from './host.ts';

/** Prometheus waits 10 s for all metrics; the database is given up after 3 s. */
const READ_MS = 4_000;
type Reading = number | Record<string, number>;

/** The media type of `Metrics.text()`. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** What a process counts, for Prometheus. One per process; whoever asks for a metric that is there already gets that. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Adds those of Node.js itself. */
  collectDefaults(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** A counter; its name ends in `_total`. Labels come from closed sets: never an id or a number. */
  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return this.#known<Counter<Label>>(name) ?? new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  /** Seconds, unless `buckets` says otherwise. */
  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    buckets: number[] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
  ): Histogram<Label> {
    return this.#known<Histogram<Label>>(name) ?? new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] });
  }

  /** A value, or one for each value of `label`, read when Prometheus asks; a read that fails or takes too long leaves the last ones. */
  gauge(name: string, help: string, read?: () => Reading | Promise<Reading>, label?: string): Gauge {
    const host = this.#host;
    const known = this.#known<Gauge>(name);
    if (known) return known;
    return new Gauge({
      name,
      help,
      labelNames: label ? [label] : [],
      registers: [this.#registry],
      ...(read && {
        async collect() {
          const done = new AbortController();
          const late = host.sleep(READ_MS, done.signal).then(() => undefined);
          const reading = await Promise.race([read(), late]).catch(() => undefined);
          done.abort();
          if (typeof reading === 'number') this.set(reading);
          else if (label) for (const [of, value] of Object.entries(reading ?? {})) this.set({ [label]: of }, value);
        },
      }),
    });
  }

  #known<Metric>(name: string): Metric | undefined {
    return this.#registry.getSingleMetric(name) as Metric | undefined;
  }

  /** The text that Prometheus reads. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
