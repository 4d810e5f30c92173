import { CONTRACTS, type ServiceName } from '#libs/contracts';
import { z } from 'zod';
import type { Hop } from './live.ts';

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
              spanId: z.string(),
              name: z.string(),
              kind: z.number().default(0),
              startTimeUnixNano: z.coerce.bigint(),
              endTimeUnixNano: z.coerce.bigint(),
              status: z.object({ code: z.number().optional() }).default({}),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Who takes what is asked under a name: services by their contracts, and Twilio what the gateway sends. */
const TAKERS = new Map<string, Hop['to']>([
  ...CONTRACTS.map(({ subject, by }) => [subject, by] as const),
  ['provider send', 'Twilio'],
]);

/** The hops in an export: what a service asked of another, or sent to Twilio. The taker's side of the same, and steps inside, are none. */
export function hopsOf({ resourceSpans }: z.output<typeof TraceExport>): Hop[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .flatMap(({ spanId, name, kind, startTimeUnixNano, endTimeUnixNano, status }) => {
        const to = TAKERS.get(name);
        const from = resource.attributes.get('service.name');
        if (!to || !isService(from) || kind !== CLIENT) return [];
        const ms = msOf(endTimeUnixNano - startTimeUnixNano);
        return [{ spanId, from, to, name, at: msOf(startTimeUnixNano), ms, failed: status.code === ERROR }];
      }),
  );
}

const isService = (name: string | undefined): name is ServiceName => CONTRACTS.some(({ by }) => by === name);
const msOf = (nanoseconds: bigint) => Number(nanoseconds / 1000n) / 1000;
