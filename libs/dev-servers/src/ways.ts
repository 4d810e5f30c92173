import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** One way to come by a server. `find` throws an error that says why this way does not lead there. */
export interface Way<Found> {
  name: string;
  find(): Promise<Found>;
}

/** What the first way that works finds, in their order; else an error that lists each way, why it failed, and what to do. */
export async function firstOf<Found>(what: string, ways: readonly Way<Found>[], whatToDo: string): Promise<Found> {
  const failures: string[] = [];
  for (const way of ways) {
    try {
      return await way.find();
    } catch (error) {
      failures.push(`  ${way.name}: ${messageOf(error)}`);
    }
  }
  throw new Error([`no ${what} could be found:`, ...failures, whatToDo].join('\n'));
}

export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** URLs as messages may show them. */
export const withoutPassword = (urls: string) => urls.replace(/\/\/[^@/,]*@/g, '//').replace(/\?.*$/, '');

const execute = promisify(execFile);

/** The version that a server's binary says it has, `8.2.6`; throws if it does not run or is older than `least`, `[major, minor]`. */
export async function versionOf(binary: string, least: readonly [number, number]): Promise<string> {
  const { stdout } = await execute(binary, ['--version'], { env: process.env }).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === 'ENOENT' ? 'there is none' : `it does not run: ${firstLineOf(error.message)}`);
  });
  const [version, major, minor] = /(\d+)\.(\d+)\.\d+/.exec(stdout) ?? [];
  if (!version) throw new Error(`it does not say its version: ${firstLineOf(stdout)}`);
  const isOld = Number(major) < least[0] || (Number(major) === least[0] && Number(minor) < least[1]);
  if (isOld) throw new Error(`it is ${version}, at least ${least.join('.')} is needed`);
  return version;
}

const firstLineOf = (text: string) => text.trim().split('\n', 1)[0] ?? '';
