import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Writes a file that is generated, named from the root; in CI one that differs is an error, since somebody forgot to commit it. */
export function keepDocument(name: string, text: string): void {
  const file = fileURLToPath(new URL(`../../../${name}`, import.meta.url));
  if (readFileSync(file, { encoding: 'utf8', flag: 'a+' }) === text) return;
  if (process.env['CI']) throw new Error(`${name} is stale: run the tests and commit it`);
  writeFileSync(file, text);
}
