import { createSecretKey } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentSettings } from '#libs/dev-servers';
import { type RunningService, type Service, startService } from '#libs/nest-service';
import { log, Metrics, readSettings } from '#libs/runtime';
import type { ServiceName } from '#libs/testing';
import { notifications } from '../../apps/notifications/src/service.ts';
import { TwilioHttp } from '../../apps/sms-gateway/src/providers/twilio.ts';
import { smsGateway } from '../../apps/sms-gateway/src/service.ts';
import { transactions } from '../../apps/transactions/src/service.ts';
import { wallet } from '../../apps/wallet/src/service.ts';
import type { SimulatedBus } from './bus.ts';
import type { SimulatedProcess } from './process.ts';
import type { SimulatedProvider } from './provider.ts';

const SERVICES = { 'sms-gateway': smsGateway, transactions, wallet, notifications } as unknown as Record<ServiceName, Service>;

export const SERVER_NUMBER = '+254700000001';
export const PUBLIC_URL = 'https://pay.simulated';
export const TIME_ZONE = 'Africa/Nairobi';
export const ACCOUNT_SID = `AC${'0'.repeat(32)}`;
export const AUTH_TOKEN = 'simulated';
/** Short, so that a payment's whole life fits into a world's. */
export const CODE_MINUTES = 0.5;
export const REQUEST_HOURS = 0.02;
export const KEYS = [{ id: 'simulated', key: createSecretKey(Buffer.alloc(32, 7)) }];

log.level = 'silent';
/** Hears what services say that is wrong: the words, and the error's. */
export const logged: { hear: (line: string) => void } = { hear: () => undefined };
for (const level of ['warn', 'error', 'fatal'] as const)
  log[level] = (fields: { err?: unknown } | string, words?: string) =>
    logged.hear(
      typeof fields === 'string' ? fields : `${words}${fields.err instanceof Error ? `: ${reasonOf(fields.err)}` : ''}`,
    );

const reasonOf = (error: Error): string => `${error.message}${error.cause instanceof Error ? ` (${reasonOf(error.cause)})` : ''}`;

/** The same for each world, so that a run is the same on any machine. */
const secrets = once(() => {
  const dir = mkdtempSync(join(tmpdir(), 'smspay-simulation-'));
  const file = (name: string, json: unknown) => {
    writeFileSync(join(dir, name), JSON.stringify(json));
    return join(dir, name);
  };
  const keys = file('keys.json', Object.fromEntries(KEYS.map(({ id, key }) => [id, key.export().toString('base64')])));
  const fees = file('fees.json', [{ upTo: '5.00', fee: '0' }, { upTo: '100.00', fee: '0.10' }, { fee: '2.00' }]);
  return { keys, fees };
});

/** One service in one process, as production starts it, on the simulated host, store, bus and provider. */
export async function bootService(
  name: ServiceName,
  process: SimulatedProcess,
  { bus, provider, databaseHost }: { bus: SimulatedBus; provider: SimulatedProvider; databaseHost: string },
): Promise<RunningService> {
  const service = SERVICES[name];
  const { keys, fees } = secrets();
  const env = {
    ...developmentSettings(name, {
      ports: { 'sms-gateway': 0, transactions: 0, wallet: 0, notifications: 0 },
      mongo: { uri: (database) => `mongodb://${databaseHost}/${database}` },
      nats: { url: 'nats://simulated' },
      secrets: {
        DATA_KEYS: keys,
        CODE_KEY: keys,
        LEDGER_KEY: keys,
        PIN_PEPPER: keys,
        TWILIO_ACCOUNT_SID: ACCOUNT_SID,
        TWILIO_AUTH_TOKEN: AUTH_TOKEN,
      },
    }),
    LOG_LEVEL: 'silent',
    PUBLIC_URL,
    FEES: fees,
    CODE_MINUTES: String(CODE_MINUTES),
    REQUEST_HOURS: String(REQUEST_HOURS),
  };
  const read = readSettings(service.settings, env);
  if ('problems' in read) throw new Error(`${name}: ${read.problems.join('; ')}`);
  const outside = () => [{ provide: TwilioHttp, useValue: provider.httpOf(process) }];
  const running = await startService(
    { ...service, ...(service.outside ? { outside } : {}) },
    read.settings as Parameters<typeof startService>[1],
    { host: process.host, bus: bus.connect(process, service.name), metrics: new Metrics(process.host) },
  );
  await running.app.getHttpAdapter().getInstance().ready();
  return running;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
