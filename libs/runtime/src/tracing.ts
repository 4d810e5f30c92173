import { context, type Attributes, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { maskNumbers } from './masking.ts';

const tracer = trace.getTracer('smspay');
let provider: NodeTracerProvider | undefined;

/** Starts tracing: ids and propagation always, export by OTLP/HTTP where an endpoint is given. */
export function startTracing(service: string, endpoint?: string): void {
  provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: endpoint
      ? [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }))]
      : [],
  });
  provider.register();
}

/** Sends what is left; an absent collector does not hold up the stop. */
export async function stopTracing(): Promise<void> {
  await provider?.shutdown().catch(() => undefined);
}

/** The current trace as a W3C `traceparent`, to be stored or sent on; undefined outside any. */
export function traceparent(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/**
 * Runs `work` in a span, below `parent` (a `traceparent`) or the current one. Its attributes are ids, never a text. A thrown error marks the
 * span by its name alone, since its words may quote what nobody may read, and passes on.
 */
export async function span<T>(
  name: string,
  work: () => Promise<T>,
  options: { parent?: string | undefined; kind?: SpanKind; attributes?: Attributes } = {},
): Promise<T> {
  const parent = options.parent ? propagation.extract(context.active(), { traceparent: options.parent }) : context.active();
  return tracer.startActiveSpan(
    name,
    { kind: options.kind ?? SpanKind.INTERNAL, attributes: withoutNumbers(options.attributes) },
    parent,
    async (active) => {
      try {
        return await work();
      } catch (error) {
        active.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'error' });
        throw error;
      } finally {
        active.end();
      }
    },
  );
}

// The net below, as for logs.
function withoutNumbers(attributes: Attributes = {}): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'string' ? maskNumbers(value) : value]),
  );
}

export { SpanKind };
