import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const CHART = import.meta.dirname;
const GENERATOR = join(CHART, '../../node_modules/.bin/readme-generator');

/** The README as it should be with these values. */
function readmeOf(values: string): { readme: string; said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'smspay-chart-'));
  copyFileSync(join(CHART, 'README.md'), join(folder, 'README.md'));
  writeFileSync(join(folder, 'values.yaml'), values);
  const { stdout } = spawnSync(GENERATOR, ['-v', join(folder, 'values.yaml'), '-r', join(folder, 'README.md')], {
    encoding: 'utf8',
  });
  return { readme: readFileSync(join(folder, 'README.md'), 'utf8'), said: stdout };
}

const values = readFileSync(join(CHART, 'values.yaml'), 'utf8');

it("lists every value in the chart's README, as npm run chart-readme writes it", () => {
  const { readme, said } = readmeOf(values);
  expect(said).toContain('Metadata is correct');
  expect(readFileSync(join(CHART, 'README.md'), 'utf8')).toBe(readme);
});

it('refuses a value without a comment', () => {
  expect(readmeOf(`${values}\nsomethingNew: 1\n`).said).toContain('Missing metadata for key: somethingNew');
});
