import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { AccountId } from '#libs/contracts';
import { type ChainHead, chainName, compareChains, type Side } from '#libs/ledger';
import { Problem } from './settings.ts';

/** Characters that are written at once. */
const CHUNK = 65_536;
/** No walk takes a day: a draft that nobody wrote to for so long was left by one that was killed. */
const LEFT_AFTER_MS = 86_400_000;

/**
 * The heads of all chains in a file: what the last run left there, and what this one finds. Both are streams, in the order of
 * `compareChains`, one line a chain: `debit wallet:… 0 17 k1.…`. The file is replaced whole, by `keep`, or not at all.
 */
export class HeadsFile {
  /** How many heads the last run left. */
  readonly count: number;
  readonly #path: string;
  /** Of the last run's file; it stays open, since another run may put a newer one in its place, which this walk could not be held to. */
  readonly #left: FileHandle | undefined;
  /** A release that held all heads in memory wrote them in another order. */
  readonly #sorted: readonly ChainHead[] | undefined;
  readonly #draft: string;
  readonly #out: FileHandle;
  #lines = '';

  private constructor(path: string, left: Left, draft: string, out: FileHandle) {
    this.#path = path;
    this.count = left.count;
    this.#left = left.handle;
    this.#sorted = left.sorted;
    this.#draft = draft;
    this.#out = out;
  }

  /** Throws a `Problem` if what is there cannot be read, or nothing can be written beside it. None need be there. */
  static async open(path: string): Promise<HeadsFile> {
    const left = await readLeft(path);
    try {
      await removeLeftDrafts(path);
      // Of its own name: two runs may be under way.
      const draft = `${path}.${randomBytes(4).toString('hex')}.new`;
      return new HeadsFile(path, left, draft, await open(draft, 'wx'));
    } catch (error) {
      await left.handle?.close();
      throw cannot('write', path, error);
    }
  }

  /** What the last run left. */
  async *left(): AsyncGenerator<ChainHead> {
    if (this.#sorted) yield* this.#sorted;
    else if (this.#left) yield* headsIn(this.#left, this.#path);
  }

  /** Takes down what this run found. */
  async add({ seq, hash, ...chain }: ChainHead): Promise<void> {
    this.#lines += `${chainName(chain)} ${seq} ${hash}\n`;
    if (this.#lines.length >= CHUNK) await this.#write();
  }

  /** Puts what this run found in the place of what the last one left. */
  async keep(): Promise<void> {
    await this.#write();
    try {
      await this.#out.sync();
      await rename(this.#draft, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      throw cannot('write', this.#path, error);
    }
  }

  /** To be called in the end, kept or not. */
  async close(): Promise<void> {
    await this.#left?.close();
    await this.#out.close();
    await rm(this.#draft, { force: true });
  }

  async #write(): Promise<void> {
    const lines = this.#lines;
    this.#lines = '';
    await this.#out.appendFile(lines).catch((error: unknown) => {
      throw cannot('write', this.#path, error);
    });
  }
}

/** What a file has: its heads lie in it in their order, or are `sorted` here. */
interface Left {
  count: number;
  handle?: FileHandle;
  sorted?: readonly ChainHead[];
}

/** Looks at each line before the ledger is walked for hours. */
async function readLeft(path: string): Promise<Left> {
  const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw cannot('read', path, error);
  });
  if (!handle) return { count: 0 };
  try {
    let [count, isSorted] = [0, true];
    let before: ChainHead | undefined;
    for await (const head of headsIn(handle, path)) {
      isSorted &&= !before || compareChains(before, head) < 0;
      before = head;
      count++;
    }
    if (isSorted) return { count, handle };
    const all: ChainHead[] = [];
    for await (const head of headsIn(handle, path)) all.push(head);
    return { count, handle, sorted: all.sort(compareChains) };
  } catch (error) {
    await handle.close();
    throw error instanceof Problem ? error : cannot('read', path, error);
  }
}

async function* headsIn(handle: FileHandle, path: string): AsyncGenerator<ChainHead> {
  let n = 0;
  for await (const line of handle.readLines({ start: 0, autoClose: false })) {
    n++;
    const [, side, account, lane, seq, hash] = /^(debit|credit|fee) (\S+) (\d+) (\d+) (\S+)$/.exec(line) ?? [];
    if (!hash) throw new Problem(`--heads: ${path}: line ${n} is no head of a chain`);
    yield { side: side as Side, account: account as AccountId, lane: Number(lane), seq: Number(seq), hash };
  }
}

async function removeLeftDrafts(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.new')) continue;
    const draft = join(dirname(path), name);
    const found = await stat(draft).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > LEFT_AFTER_MS) await rm(draft, { force: true });
  }
}

/** A rename is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

function cannot(what: 'read' | 'write', path: string, error: unknown): Problem {
  return new Problem(`--heads: cannot ${what} ${path}: ${(error as Error).message}`, { cause: error });
}
