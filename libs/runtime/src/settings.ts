import { createSecretKey, KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Currency } from '#libs/contracts';
import { z } from 'zod';

/** Exit code of a service whose settings are wrong (sysexits.h, EX_CONFIG): starting it again does not help. */
export const WRONG_SETTINGS = 78;

/** What every service reads from its environment. A field's description is its manual (docs/settings.md). */
export const commonSettings = z.object({
  SMSPAY_MODE: z
    .enum(['production', 'development'])
    .default('production')
    .describe('development: secrets that are not for real money are taken'),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(3000)
    .describe('HTTP port: health, metrics, and the webhooks of the gateway; 0 is any free one'),
  NATS_URL: z.string().min(1).describe('NATS servers, comma separated: nats://host:4222'),
  NATS_CREDS: z.string().optional().describe("file with the nkey seed of this service's credential; needed in production"),
  NATS_CA: z
    .string()
    .optional()
    .describe('file with the certificate of the CA of NATS: then only TLS is spoken; needed in production'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('least level that is logged'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional().describe('where spans go by OTLP/HTTP; none are sent if absent'),
});

/** For the services that have a database. */
export const databaseSettings = z.object({
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must start with mongodb:// or mongodb+srv://')
    .describe("the service's own database, named in the URI: mongodb://host/smspay_wallet"),
});

/** The currency of all wallets. */
export const currencySetting = z.object({ CURRENCY: Currency.describe('ISO 4217 code of all wallets: KES') });

const Keys = z.record(
  z.string().regex(/^[\w-]+$/),
  z.base64().transform((text) => createSecretKey(text, 'base64')),
);

/** Named 256-bit keys: the first one seals or signs, every one opens or checks. Not printed, and five times as quick as their bytes. */
export type KeyRing = readonly { id: string; key: KeyObject }[];

/** A key file's path in, its keys out: JSON, `{"<id>": "<base64 of 32 bytes>", …}`. Ids that begin with `development` are refused in production. */
export const keyFile = z
  .string()
  .min(1)
  .transform((path, context): KeyRing => {
    const fail = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    let json: unknown;
    let text = '';
    try {
      text = readFileSync(path, 'utf8');
      json = JSON.parse(text);
    } catch (error) {
      return fail(`cannot read the key file ${path}: ${error instanceof SyntaxError ? 'not JSON' : (error as Error).message}`);
    }
    const keys = Keys.safeParse(json);
    if (!keys.success) return fail(`the key file ${path} must be JSON: {"<id>": "<base64 of 32 bytes>"}`);
    const ring = idsIn(text).flatMap((id) => (keys.data[id] ? [{ id, key: keys.data[id] }] : []));
    if (ring.length === 0) return fail(`the key file ${path} holds no key`);
    const short = ring.find(({ key }) => key.symmetricKeySize !== 32);
    if (short) return fail(`key ${short.id} in ${path} must have 32 bytes, got ${short.key.symmetricKeySize}`);
    return ring;
  });

/** The ids in the order in which they are written, which an object does not keep where they look like integers. Ids and values hold no quotes. */
const idsIn = (text: string) => [...new Set(Array.from(text.matchAll(/"([\w-]+)"\s*:/g), ([, id = '']) => id))];

const isKeyRing = (value: unknown): value is KeyRing =>
  Array.isArray(value) && value.every((entry) => entry && entry.key instanceof KeyObject);

/** Reads settings from an environment: the settings, or one line for each that is wrong. */
export function readSettings<Schema extends z.ZodObject>(
  schema: Schema,
  env: NodeJS.ProcessEnv,
): { settings: z.output<Schema> } | { problems: string[] } {
  // An empty variable is an absent one: that is how charts and shells say "not set".
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const read = schema.safeParse(given);
  if (!read.success) {
    return {
      problems: read.error.issues.map((issue) => {
        const name = issue.path.map(String).join('.');
        return `${name}: ${given[name] === undefined ? `is missing: ${schema.shape[name]?.description ?? 'needed'}` : issue.message}`;
      }),
    };
  }
  const problems = productionProblems(read.data);
  return problems.length > 0 ? { problems } : { settings: read.data };
}

/** What production refuses, whatever the service (docs/design.md, "Fail closed"). */
function productionProblems(settings: Record<string, unknown>): string[] {
  if (settings['SMSPAY_MODE'] !== 'production') return [];
  const problems: string[] = [];
  for (const [name, value] of Object.entries(settings)) {
    const development = isKeyRing(value)
      ? value.some(({ id }) => id.startsWith('development'))
      : typeof value === 'string' && value.startsWith('development-');
    if (development) problems.push(`${name}: holds a development secret; production does not start with one`);
  }
  if (!settings['NATS_CREDS']) problems.push('NATS_CREDS: is missing: production talks to NATS only with a credential');
  if (!settings['NATS_CA']) problems.push('NATS_CA: is missing: production talks to NATS only over TLS');
  return problems;
}
