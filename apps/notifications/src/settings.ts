import { commonSettings, keyFile } from '#libs/runtime';
import { z } from 'zod';

/** The environment of notifications. It keeps nothing, so it has no database. */
export const settings = z.object({
  ...commonSettings.shape,
  DATA_KEYS: keyFile.describe('file with the keys that seal what carries a secret, {"<id>": "<base64 of 32 bytes>", …}'),
});
export type Settings = z.output<typeof settings>;
