import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Asker } from '#libs/contracts';
import { makeOnce } from './make-once.ts';

/** A process that has settings and listens: the services and the simulator. */
export type Part = Exclude<Asker, 'admin'>;

/** Secrets that are not for real money: the paths of the key files, and what the simulator signs webhooks with. */
export interface DevelopmentSecrets {
  DATA_KEYS: string;
  CODE_KEY: string;
  LEDGER_KEY: string;
  PIN_PEPPER: string;
  TWILIO_ACCOUNT_SID: string;
  TWILIO_AUTH_TOKEN: string;
}

/** The secrets in `dir`, random, made once. Lost with them: what they sealed, PINs, and the proof of the ledger. */
export function developmentSecrets(dir: string): DevelopmentSecrets {
  const keyFile = (name: string) => {
    const file = join(dir, `${name}.json`);
    // Production refuses an id that begins so.
    makeOnce(file, () => JSON.stringify({ 'development-1': randomBytes(32).toString('base64') }));
    return file;
  };
  return {
    DATA_KEYS: keyFile('data-keys'),
    CODE_KEY: keyFile('code-key'),
    LEDGER_KEY: keyFile('ledger-key'),
    PIN_PEPPER: keyFile('pin-pepper'),
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(31)}1`,
    TWILIO_AUTH_TOKEN: makeOnce(join(dir, 'twilio-auth-token'), () => `development-${randomBytes(16).toString('hex')}`),
  };
}

/** What the settings of one part depend on. */
export interface DevelopmentSetUp {
  /** Without one for the simulator there is none: nothing says where Twilio is, and no spans are sent. */
  ports: Record<Exclude<Part, 'simulator'>, number> & { simulator?: number };
  mongo: { uri(database: string): string };
  nats: { url: string };
  /** Absent if NATS is the user's, who then sets `NATS_CREDS`. */
  seedFiles?: Record<Asker, string>;
  secrets: DevelopmentSecrets;
}

/** The database of each service that has one, and keeps it to itself. */
export const DATABASES = {
  'sms-gateway': 'smspay_sms_gateway',
  transactions: 'smspay_transactions',
  wallet: 'smspay_wallet',
} as const;

/** The environment of one part in development: a shop in Kenya, with the simulator in Twilio's place. */
export function developmentSettings(
  part: Part,
  { ports, mongo, nats, seedFiles, secrets }: DevelopmentSetUp,
): Record<string, string> {
  const database = (DATABASES as Partial<Record<Part, string>>)[part];
  const simulator = `http://127.0.0.1:${ports.simulator}`;
  return {
    SMSPAY_MODE: 'development',
    PORT: String(ports[part]),
    ...(database ? { MONGODB_URI: mongo.uri(database) } : {}),
    NATS_URL: nats.url,
    ...(seedFiles ? { NATS_CREDS: seedFiles[part] } : {}),
    ...secrets,
    SMS_NUMBERS: '+254700000001',
    PUBLIC_URL: `http://127.0.0.1:${ports['sms-gateway']}`,
    DEFAULT_REGION: 'KE',
    COUNTRIES: 'KE',
    TIME_ZONE: 'Africa/Nairobi',
    CURRENCY: 'KES',
    WELCOME_CREDIT: '1000.00',
    FEES: fileURLToPath(new URL('../development-fees.json', import.meta.url)),
    CODE_MINUTES: '10',
    REQUEST_HOURS: '24',
    ...(ports.simulator === undefined
      ? {}
      : { TWILIO_API_URL: simulator, OTEL_EXPORTER_OTLP_ENDPOINT: simulator, OTEL_BSP_SCHEDULE_DELAY: '200' }),
  };
}
