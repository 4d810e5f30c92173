// `npm start`, `npm test`, `npm run demo`, `simulate`, `bench`, `test:faults` and `test:cluster`: installs and builds what is stale, then goes on under the
// project's own Node. Plain JavaScript without packages: it runs before `npm ci`, on any Node that can run npm.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const NODE = join(ROOT, 'node_modules/.bin/node');
const FROM_SOURCE = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
const JEST = [...FROM_SOURCE, '--experimental-vm-modules', 'node_modules/jest/bin/jest.js'];
const TARGETS = {
  start: [...FROM_SOURCE, 'tools/start/main.ts'],
  // Behind the arguments given: these take all that follows.
  // Two files at once: many start a whole town, and wait for most of their time. What times a return has the machine for itself.
  test: (given) => [...JEST, '--maxWorkers=2', ...given, '--testPathIgnorePatterns=test/faults/'],
  faults: (given) => [
    ...JEST,
    '--runInBand',
    ...given,
    ...(given.some((each) => !each.startsWith('--')) ? [] : ['--testPathPatterns=test/faults/']),
  ],
  demo: [...FROM_SOURCE, 'tools/demo/src/main.ts'],
  // The services in it have decorators, which Node.js cannot strip. Much is made and soon forgotten there.
  simulate: ['--enable-source-maps', '--max-semi-space-size=64', 'dist/test/simulation/main.js'],
  bench: [...FROM_SOURCE, 'bench/main.ts'],
  cluster: [...FROM_SOURCE, 'test/cluster/main.ts'],
};

const [name = 'start', ...args] = process.argv.slice(2);
const target = TARGETS[name];
if (!target) fail(`npm start takes nothing, or one of: ${Object.keys(TARGETS).join(', ')}; got ${name}`);

if (isOlder('node_modules/.package-lock.json', 'package-lock.json')) await install();
const built = await run([...FROM_SOURCE, 'tools/start/build.ts']);
process.exit(built === 0 ? await run(typeof target === 'function' ? target(args) : [...target, ...args]) : built);

function isOlder(made, source) {
  const path = join(ROOT, made);
  return !existsSync(path) || !existsSync(NODE) || statSync(path).mtimeMs < statSync(join(ROOT, source)).mtimeMs;
}

async function install() {
  const began = Date.now();
  process.stdout.write(`  … packages: npm ci, a minute or two${process.stdout.isTTY ? '' : '\n'}`);
  const npm = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (data) => (output += data));
  const code = await ended(npm).catch((error) => fail(`npm ci does not run: ${error.message}`));
  if (code !== 0) fail(`npm ci failed (exit code ${code}):\n${output.trim()}`);
  process.stdout.write(
    `${process.stdout.isTTY ? '\r\x1b[2K' : ''}  ✓ packages       node_modules/  ${((Date.now() - began) / 1000).toFixed(1)} s\n`,
  );
}

/** Runs a program of ours to its end; its exit code. */
async function run(programAndArgs) {
  // In a process group of its own, so that each signal comes once, from here: a Ctrl-C in the terminal goes to the whole group.
  const child = spawn(NODE, programAndArgs, {
    cwd: ROOT,
    stdio: 'inherit',
    detached: true,
  });
  const pass = (signal) => child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, pass);
  // npm passes SIGTERM on to its shell only: the shell's end is the news.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && (clearInterval(watch), pass('SIGTERM')), 500);
  const code = await ended(child);
  clearInterval(watch);
  for (const signal of signals) process.off(signal, pass);
  return code;
}

/** The exit code of a child, or 1 if a signal ended it. */
function ended(child) {
  return new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve(code ?? 1)));
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
