import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { pino } from 'pino';
import { maskNumbersInJson } from './masking.ts';

/**
 * Written at once: what is written later is lost with a process that is killed, and to a pipe that nobody reads any more pino would flush it at
 * the end again and again for ever, so that the process never exits.
 */
const stdout = pino.destination({ dest: 1, sync: true });

/**
 * JSON lines on stdout. `msg` is a constant sentence, values are fields. Who logs names no number and no secret; `serializers`,
 * `redact` and `hooks` are the net below, for what a library says in its errors, not the plan.
 */
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
    // Of an error what it says, not what libraries hang on it: documents, values of keys, requests with their headers.
    serializers: { err: (error: unknown) => (error instanceof Error ? wordsOf(error) : error) },
    hooks: { streamWrite: maskNumbersInJson },
    redact: ['*.text', '*.body', '*.Body', '*.code', '*.pin', 'text', 'body', 'Body', 'code', 'pin', '*.authorization'],
  },
  stdout,
);

/** Names the service in every line from now on. */
export function nameLogs(service: string): void {
  log.setBindings({ service });
}

/** What an error and its causes say, and where they were thrown; numbers are not masked yet. */
export function wordsOf(error: Error): { type: string; message: string; stack: string } {
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message, stack };
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
