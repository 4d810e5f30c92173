import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CertificateProblem, TrustUpdate } from '#libs/certificates';

export const ROOT = 'root.pem';
export const ROOT_KEY = 'root.key.pem';
export const TRUST = 'trust.json';
export const certificateFile = (serial: string) => `${serial}.pem`;
export const signKeyFile = (serial: string) => `${serial}.sign.key.pem`;
export const dhKeyFile = (serial: string) => `${serial}.dh.key.pem`;
export const updateFile = (version: number) => `update-${version}.json`;

/** Where an operator keeps the root, the certificates, their private keys and the updates of the trust list (docs/certificates.md). */
export class Folder {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }

  /** The text of a file, or undefined if there is none. */
  async find(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.path, name), 'utf8');
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined;
      throw cannot('read', join(this.path, name), error);
    }
  }

  /** The text of a file; without one it throws, and says `otherwise` what to do. */
  async read(name: string, otherwise: string): Promise<string> {
    const text = await this.find(name);
    if (text === undefined) throw new CertificateProblem(`${join(this.path, name)} is missing: ${otherwise}`);
    return text;
  }

  /** The names of all files; none if there is no folder. */
  async names(): Promise<string[]> {
    try {
      return (await readdir(this.path)).sort();
    } catch (error) {
      if (isCode(error, 'ENOENT')) return [];
      throw cannot('read', this.path, error);
    }
  }

  /** Whether others than the owner may read or write it. */
  async isOpen(name: string): Promise<boolean> {
    return ((await stat(join(this.path, name))).mode & 0o077) !== 0;
  }

  /** All updates that are there, by version; whether one is missing is not looked at. */
  async updates(): Promise<TrustUpdate[]> {
    const versions = (await this.names()).flatMap((name) => /^update-(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number);
    const updates = versions
      .sort((a, b) => a - b)
      .map(async (version) => {
        const update = parseJson(
          await this.read(updateFile(version), 'it was there a moment ago'),
          TrustUpdate,
          updateFile(version),
        );
        if (update.version !== version) throw new CertificateProblem(`${updateFile(version)} is update ${update.version}`);
        return update;
      });
    return Promise.all(updates);
  }

  /** A new file: see `writeNew`. */
  add(name: string, text: string): Promise<void> {
    return writeNew(join(this.path, name), text);
  }

  /** Puts a file in the place of the one that is there, whole or not at all. */
  async replace(name: string, text: string): Promise<void> {
    const path = join(this.path, name);
    await writeDraft(path, text, (draft) => rename(draft, path));
  }
}

/**
 * Writes a file that only its owner may read, whole or not at all. Throws a `CertificateProblem` if there is one: a key that was made once
 * is never written over. Its folder is made if there is none.
 */
export async function writeNew(path: string, text: string): Promise<void> {
  await writeDraft(path, text, async (draft) => {
    try {
      // Unlike a rename, a link never takes the place of what is there.
      await link(draft, path);
    } catch (error) {
      if (isCode(error, 'EEXIST')) throw new CertificateProblem(`${path} is there already, and nothing is written over`);
      throw error;
    }
  });
}

/** Throws a `CertificateProblem` unless it is JSON of the schema. */
export function parseJson<Value>(text: string, schema: { safeParse(value: unknown): Parsed<Value> }, name: string): Value {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CertificateProblem(`${name} is no JSON`);
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new CertificateProblem(`${name}: ${issue?.path.map(String).join('.')}: ${issue?.message}`);
}

/** What of zod's answer is looked at. */
type Parsed<Value> =
  | { success: true; data: Value }
  | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };

/** Writes a draft beside `path`, to the disk, and lets `place` put it there. */
async function writeDraft(path: string, text: string, place: (draft: string) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  const draft = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      const file = await open(draft, 'wx', 0o600);
      await file
        .writeFile(text)
        .then(() => file.sync())
        .finally(() => file.close());
      await place(draft);
    } finally {
      await rm(draft, { force: true });
    }
    // A name is on the disk only when its folder is.
    const handle = await open(folder);
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    throw error instanceof CertificateProblem ? error : cannot('write', path, error);
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}

function cannot(what: 'read' | 'write', path: string, error: unknown): CertificateProblem {
  return new CertificateProblem(`cannot ${what} ${path}: ${(error as Error).message}`, { cause: error });
}
