import { globSync, readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';

const ROOT = new URL('..', import.meta.url).pathname;

it('docs/metrics.md names each metric of the services, and no other', () => {
  const sources = globSync(['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'], { cwd: ROOT, exclude: ['**/*.spec.ts'] }).map((file) =>
    readFileSync(ROOT + file, 'utf8'),
  );
  const made = sources.flatMap((source) =>
    [...source.matchAll(/\b(?:counter|gauge|histogram)\(\s*'(smspay_\w+)'/g)].map(([, name]) => name),
  );
  const page = readFileSync(`${ROOT}docs/metrics.md`, 'utf8');
  const named = [...page.matchAll(/^\| `(smspay_\w+)`/gm)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(made.toSorted());
});
