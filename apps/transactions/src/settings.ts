import { commonSettings, databaseSettings, keyFile } from '#libs/runtime';
import { z } from 'zod';

/** The environment of transactions. */
export const settings = z.object({
  ...commonSettings.shape,
  ...databaseSettings.shape,
  CODE_MINUTES: z.coerce
    .number()
    .positive()
    .max(600)
    .default(10)
    .describe('how long a person has for the code of what they began, minutes'),
  REQUEST_HOURS: z.coerce
    .number()
    .positive()
    .max(720)
    .default(24)
    .describe('how long a person has for what another asks of them, hours'),
  CODE_KEY: keyFile.describe(
    'file with the keys of which codes are computed, {"<id>": "<base64 of 32 bytes>"}; the first computes new ones, each the ones that were told under it',
  ),
  DATA_KEYS: keyFile.describe('file with the keys that seal what carries a secret, {"<id>": "<base64 of 32 bytes>", …}'),
});
export type Settings = z.output<typeof settings>;
