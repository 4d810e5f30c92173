import { CONTRACTS } from '#libs/contracts';
import { z } from 'zod';
import type { Hop, Way } from './live.ts';

const WAYS_KEPT = 50;
/** OTLP's SPAN_KIND_CLIENT: the asker's side of a hop. */
const CLIENT = 3;
/** OTLP's STATUS_CODE_ERROR. */
const ERROR = 2;

const attributes = z
  .array(z.object({ key: z.string(), value: z.object({ stringValue: z.string().optional() }) }))
  .default([])
  .transform((list) => new Map(list.map(({ key, value }) => [key, value.stringValue])));

/** What is read of an OTLP/HTTP export (opentelemetry-proto, trace_service.proto, as JSON). */
export const TraceExport = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              name: z.string(),
              kind: z.number().default(0),
              startTimeUnixNano: z.coerce.bigint(),
              endTimeUnixNano: z.coerce.bigint(),
              attributes,
              status: z.object({ code: z.number().optional() }).default({}),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Who takes what is asked under a name: services by their contracts, and Twilio what the gateway sends. */
const TAKERS = new Map<string, string>([
  ...CONTRACTS.map(({ subject, by }) => [subject, by] as const),
  ['provider send', 'Twilio'],
]);

/** The ways of the last SMS, put together from the spans that the services export: one trace is one way. */
export class Ways {
  readonly #traces = new Map<string, { smsId?: string; hops: Hop[] }>();

  all(): Way[] {
    return [...this.#traces.keys()].flatMap((traceId) => this.#wayOf(traceId) ?? []);
  }

  /** Takes one export, gives the ways that it changed. A way is known once a span of its trace names the SMS (`sms.id`). */
  take(spans: z.output<typeof TraceExport>): Way[] {
    const changed = new Set<string>();
    for (const { resource, scopeSpans } of spans.resourceSpans) {
      const service = resource.attributes.get('service.name') ?? 'unknown';
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
        const trace = this.#traceOf(span.traceId);
        const smsId = span.attributes.get('sms.id');
        if (smsId) trace.smsId ??= smsId;
        const to = TAKERS.get(span.name);
        if (to && span.kind === CLIENT) {
          trace.hops.push({
            spanId: span.spanId,
            from: service,
            to,
            name: span.name,
            at: Number(span.startTimeUnixNano / 1000n) / 1000,
            ms: Number((span.endTimeUnixNano - span.startTimeUnixNano) / 1000n) / 1000,
            failed: span.status.code === ERROR,
          });
        }
        changed.add(span.traceId);
      }
    }
    return [...changed].flatMap((traceId) => this.#wayOf(traceId) ?? []);
  }

  #traceOf(traceId: string) {
    const known = this.#traces.get(traceId);
    if (known) return known;
    const trace = { hops: [] };
    this.#traces.set(traceId, trace);
    const [oldest] = this.#traces.keys();
    if (oldest !== undefined && this.#traces.size > WAYS_KEPT) this.#traces.delete(oldest);
    return trace as { smsId?: string; hops: Hop[] };
  }

  #wayOf(traceId: string): Way | undefined {
    const trace = this.#traces.get(traceId);
    return trace?.smsId ? { smsId: trace.smsId, hops: trace.hops.toSorted((one, other) => one.at - other.at) } : undefined;
  }
}
