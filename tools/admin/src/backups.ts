import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The last file that is written of a backup, so there only in a complete one: its lines are as `sha256sum --check` reads them. */
export const CHECKSUMS = 'SHA256SUMS';

/** A collection that says which backup is being restored into its database: that one, and no other, may be gone on with. */
export const RESTORING = 'restoring';

/** A backup is named by the time it was begun, UTC, so names are in order of age. */
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/;

export const nameOf = (time: Date): string => `${time.toISOString().slice(0, 19).replaceAll(':', '-')}Z`;

/** The backups in a folder, oldest first. */
export function backupsIn(folder: string): { name: string; isComplete: boolean }[] {
  const names = readdirSync(folder).filter((name) => NAME.test(name));
  return names.sort().map((name) => ({ name, isComplete: existsSync(join(folder, name, CHECKSUMS)) }));
}
