import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { pino } from 'pino';

/**
 * Written at once: what is written later is lost with a process that is killed, and to a pipe that nobody reads any more pino would flush it at
 * the end again and again for ever, so that the process never exits.
 */
const stdout = pino.destination({ dest: 1, sync: true });

/** JSON lines on stdout. `msg` is a constant sentence, values are fields (style.md § 4). Redaction is the net below, not the plan. */
export const log = pino(
  {
    level: process.env['LOG_LEVEL'] || 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => {
      const traceId = trace.getActiveSpan()?.spanContext().traceId;
      return traceId ? { traceId } : {};
    },
    redact: ['*.text', '*.body', '*.Body', '*.code', '*.pin', 'text', 'body', 'Body', 'code', 'pin', '*.authorization'],
  },
  stdout,
);

/** Names the service in every line from now on. */
export function nameLogs(service: string): void {
  log.setBindings({ service });
}

/** A phone number as logs show it: `+2547****5678`. */
export function masked(msisdn: string): string {
  return msisdn.length < 9 ? '****' : `${msisdn.slice(0, 5)}****${msisdn.slice(-4)}`;
}

/** Nest's own messages, as our lines; its start-up chatter is `debug`. */
export const nestLogger: LoggerService = {
  log: (message: unknown, context?: unknown) => log.debug({ context }, String(message)),
  debug: (message: unknown, context?: unknown) => log.debug({ context }, String(message)),
  verbose: (message: unknown, context?: unknown) => log.debug({ context }, String(message)),
  warn: (message: unknown, context?: unknown) => log.warn({ context }, String(message)),
  error: (message: unknown, ...rest: unknown[]) =>
    log.error({ context: rest.at(-1), err: message instanceof Error ? message : undefined }, String(message)),
};
