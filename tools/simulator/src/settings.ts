import { accessSync, constants } from 'node:fs';
import { z } from 'zod';

const E164_LIST = /^\+[1-9]\d{6,14}(,\+[1-9]\d{6,14})*$/;

const readable = z.string().superRefine((path, context) => {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `cannot be read: ${(error as Error).message}` });
  }
});

const settings = z.object({
  SMSPAY_MODE: z.literal('development', 'the simulator runs in development only, say SMSPAY_MODE=development'),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  // The page asks nobody who they are: other machines see it only where somebody says so.
  HOST: z.string().default('127.0.0.1'),
  PUBLIC_URL: z.url('must be the URL at which the gateway takes webhooks').transform((url) => url.replace(/\/$/, '')),
  TWILIO_ACCOUNT_SID: z.string().regex(/^AC\w+$/, 'must begin with AC'),
  TWILIO_AUTH_TOKEN: z.string().min(1),
  SMS_NUMBERS: z
    .string()
    .transform((list) => list.replaceAll(' ', ''))
    .pipe(z.string().regex(E164_LIST, 'must be numbers like +254700000001, comma separated'))
    .transform((list) => list.split(',')),
  NATS_URL: z.string().min(1),
  NATS_CREDS: readable.optional(),
  NATS_CA: readable.optional(),
  DATA_DIR: z.string().optional(),
});
export type Settings = z.output<typeof settings>;

/** Reads the environment: the settings, or one line for each that is wrong. An empty variable is an absent one. */
export function readSettings(env: NodeJS.ProcessEnv): { settings: Settings } | { problems: string[] } {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const read = settings.safeParse(given);
  if (read.success) return { settings: read.data };
  return {
    problems: read.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      if (given[name] === undefined && name !== 'SMSPAY_MODE') return `${name}: is missing`;
      return `${name}: ${message}${name === 'TWILIO_AUTH_TOKEN' ? '' : `, got ${given[name] ?? 'nothing'}`}`;
    }),
  };
}
