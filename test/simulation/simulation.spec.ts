import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { MUTANTS, planted } from './mutants.ts';
import { planOf } from './plan.ts';
import { World } from './world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The same ones each time, so that a red run is a reason in the commit: new ones live by `npm run simulate`. */
const SEEDS = ['--seeds', '200', '--from', '1'];

describe('a simulated world', () => {
  it(`keeps every invariant, whatever goes wrong, in ${SEEDS[1]} lives`, async () => {
    // As `npm run simulate`: the services as they are built.
    const args = ['--enable-source-maps', '--max-semi-space-size=64', 'dist/test/simulation/main.js', ...SEEDS];
    const told = await new Promise<string>((resolve) => {
      execFile(process.execPath, args, { cwd: ROOT, maxBuffer: 2 ** 28 }, (error, stdout, stderr) =>
        resolve(error ? stdout + stderr : 'all is well'),
      );
    });
    expect(told).toBe('all is well');
  }, 900_000);

  it('is the same each time that it lives', async () => {
    for (const seed of [300, 301, 302]) {
      const lives = [new World(planOf(seed), { kept: true }), new World(planOf(seed), { kept: true })];
      const [one, other] = [await lives[0]?.live(), await lives[1]?.live()];
      expect(one?.story).toEqual(other?.story);
      expect(one?.steps).toBe(other?.steps);
    }
  }, 60_000);
});

describe('the known bugs', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('can be planted: %s', (_name, mutant) => {
    planted(mutant, readFileSync(`${ROOT}dist/${mutant.file}.js`, 'utf8'));
  });

  it('stand in docs/simulation.md', () => {
    const page = readFileSync(`${ROOT}docs/simulation.md`, 'utf8');
    const named = [...page.matchAll(/^\| `([a-z-]+)` \| (.*?) \|/gm)].map(([, name, bug]) => [name, bug]);
    expect(named).toEqual(MUTANTS.map(({ name, bug }) => [name, bug]));
  });
});
