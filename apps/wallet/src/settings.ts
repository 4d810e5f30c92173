import { readFileSync } from 'node:fs';
import { type MinorUnits, parseAmount } from '#libs/contracts';
import { commonSettings, currencySetting, databaseSettings, keyFile } from '#libs/runtime';
import { z } from 'zod';
import { feeTiers, type FeeTier } from './domain/fees.ts';

const jsonFile = z.string().transform((path, context): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'not JSON' : (error as Error).message;
    context.addIssue({ code: 'custom', message: `cannot read ${path}: ${why}` });
    return z.NEVER;
  }
});

/** The environment of the wallet. */
export const settings = z
  .object({
    ...commonSettings.shape,
    ...databaseSettings.shape,
    ...currencySetting.shape,
    TIME_ZONE: z
      .string()
      .refine(isTimeZone, {
        error: ({ input }) => `must be the IANA name of a time zone such as Africa/Nairobi, got ${String(input)}`,
      })
      .describe('time zone in which days and months begin, IANA name: Africa/Nairobi; never change it on a ledger in use'),
    WELCOME_CREDIT: z
      .string()
      .default('0')
      .describe(
        'amount given to each new wallet from the treasury, as people write it: 1000.00; not in production with real money',
      ),
    FEES: jsonFile
      .optional()
      .describe(
        'file with what payments cost: [{ "upTo": "100.00", "fee": "0.10" }, …, { "fee": "2.00" }]; without it they are free',
      ),
    LEDGER_KEY: keyFile.describe(
      'file with the keys that sign the ledger, {"<id>": "<base64 of 32 bytes>"}; the first signs, all verify',
    ),
    DATA_KEYS: keyFile.describe('file with the keys that seal what carries a secret, {"<id>": "<base64 of 32 bytes>", …}'),
    PIN_PEPPER: keyFile.describe(
      'file with the keys without which the hash of a PIN is worth nothing, {"<id>": "<base64 of 32 bytes>"}; the first hashes new PINs, all check',
    ),
  })
  .superRefine((given, context) => {
    try {
      termsOf(given);
    } catch (error) {
      const [name = '', ...why] = (error as Error).message.split(': ');
      context.addIssue({ code: 'custom', path: [name], message: why.join(': ') });
    }
  });
export type Settings = z.output<typeof settings>;

/** What the settings say about amounts, in minor units of `CURRENCY`. */
export interface Terms {
  welcomeCredit: MinorUnits;
  fees: readonly FeeTier[];
}

/** Reads the amounts of the settings. Throws with the setting's name and what is wrong. */
export function termsOf({ CURRENCY, WELCOME_CREDIT, FEES }: Pick<Settings, 'CURRENCY' | 'WELCOME_CREDIT' | 'FEES'>): Terms {
  const welcomeCredit = parseAmount(WELCOME_CREDIT, CURRENCY);
  if (welcomeCredit === undefined) throw new Error(`WELCOME_CREDIT: must be an amount of ${CURRENCY}, got ${WELCOME_CREDIT}`);
  try {
    return { welcomeCredit, fees: FEES === undefined ? [] : feeTiers(FEES, CURRENCY) };
  } catch (error) {
    throw new Error(`FEES: ${(error as Error).message}`, { cause: error });
  }
}

function isTimeZone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
