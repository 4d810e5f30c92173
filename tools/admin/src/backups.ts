/** The file in a backup that has the lines of its files as `sha256sum --check` reads them; written last. */
export const CHECKSUMS = 'SHA256SUMS';

/** By the time it was begun. */
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/;

/** The complete backups among the entries of a folder, oldest first. */
export const backupsAmong = (entries: readonly string[]): string[] => entries.filter((name) => NAME.test(name)).sort();
