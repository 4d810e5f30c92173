import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ChainHeads } from '#libs/ledger';
import { Problem } from './settings.ts';

/** What the last run left in a file, one line a chain: `debit wallet:… 0 17 k1.…`. None if there is no file. */
export async function readHeads(file: string): Promise<ChainHeads> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new Problem(`--heads: cannot read ${file}: ${error.message}`, { cause: error });
  });
  const heads: ChainHeads = new Map();
  for (const [n, line] of text.split('\n').slice(0, -1).entries()) {
    const [, chain, seq, hash] = /^(\w+ \S+ \d+) (\d+) (\S+)$/.exec(line) ?? [];
    if (!chain || !hash) throw new Problem(`--heads: ${file}: line ${n + 1} is no head of a chain`);
    heads.set(chain, { seq: Number(seq), hash });
  }
  return heads;
}

/** Replaces the file, whole or not at all. */
export async function writeHeads(file: string, heads: ChainHeads): Promise<void> {
  const draft = `${file}.new`;
  try {
    const handle = await open(draft, 'w');
    try {
      await handle.writeFile(linesOf(heads));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    await syncFolder(dirname(file));
  } catch (error) {
    throw new Problem(`--heads: cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function* linesOf(heads: ChainHeads): Generator<string> {
  for (const [chain, { seq, hash }] of heads) yield `${chain} ${seq} ${hash}\n`;
}

/** A rename is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}
