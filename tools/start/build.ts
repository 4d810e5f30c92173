import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.ts';
import { steps } from './steps.ts';

const SOURCES = ['apps', 'libs', 'tools', 'test', 'bench', 'package.json', 'package-lock.json', 'tsconfig.json'];
const BUILT = join(ROOT, 'dist/.built');

if (newestOf(SOURCES.map((source) => join(ROOT, source))) > timeOf(BUILT)) {
  await steps
    .do('build', build, () => 'dist/')
    .catch((error: { stdout?: string; stderr?: string; message: string }) => {
      console.error(`the build failed:\n${`${error.stdout ?? ''}${error.stderr ?? ''}`.trim() || error.message}`);
      process.exit(1);
    });
}

async function build(): Promise<void> {
  const began = new Date();
  await promisify(execFile)('npm', ['run', '-s', 'build'], { cwd: ROOT, maxBuffer: 1 << 26 });
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  writeFileSync(BUILT, '');
  // What was edited while it was built is not in it.
  utimesSync(BUILT, began, began);
}

/** When anything in these files and folders last changed; a folder's own time tells of what was removed. */
function newestOf(paths: readonly string[]): number {
  return Math.max(
    ...paths.map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (!stat) return 0;
      if (!stat.isDirectory()) return stat.mtimeMs;
      return Math.max(stat.mtimeMs, newestOf(readdirSync(path).map((entry) => join(path, entry))));
    }),
  );
}

function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
