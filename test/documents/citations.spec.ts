import { globSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = ['apps', 'libs', 'tools', 'test', 'helm', 'bench', 'k8s', 'docs'];
/** What is in no release, or no text. */
const LEFT_OUT = ['**/node_modules/**', '**/dist/**', '**/*.png'];

const pathsOf = (...patterns: string[]) => globSync(patterns, { cwd: ROOT, exclude: LEFT_OUT });
const read = (path: string) => readFileSync(ROOT + path, 'utf8');

/** Each source, with its lines as one: a comment breaks its sentences wherever it likes. */
const sources = pathsOf(...SOURCES.map((folder) => `${folder}/**/*`), '*.{md,yaml,json}')
  .filter((path) => statSync(ROOT + path).isFile())
  .map((path) => ({ path, text: read(path).replace(/\s*\n\s*(?:\*(?!\/)|\/\/|#)?\s*/g, ' ') }));

/** All that `pattern` finds in the sources for which `isWrong`, as `<path>: <what was found>`. */
const wrong = (pattern: RegExp, isWrong: (...groups: string[]) => boolean) =>
  sources.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].filter(([, ...groups]) => isWrong(...groups)).map(([found]) => `${path}: ${found}`),
  );

const pages = new Map(pathsOf('docs/*.md').map((path) => [path, read(path)]));
const titles = (page: string) => [...(pages.get(page) ?? '').matchAll(/^#+ (.+)$/gm)].map(([, title]) => title);

describe('a citation', () => {
  it('is of a page that is there', () => {
    expect(wrong(/\b(docs\/[\w-]+\.md)\b/g, (page = '') => !pages.has(page))).toEqual([]);
  });

  it('of a section names its title', () => {
    expect(wrong(/\b(docs\/[\w-]+\.md), "([^"]+)"/g, (page = '', title = '') => !titles(page).includes(title))).toEqual([]);
  });

  it('of the design or of a fault says in which folder that is', () => {
    // A link from page to page needs no folder.
    expect(wrong(/(?<!docs\/|\]\(|\[)\b(?:design|style|reliability|protocol)\.md/g, () => true)).toEqual([]);
  });

  it('of an invariant or a fault names a row of docs/reliability.md', () => {
    const rows = new Set([...(pages.get('docs/reliability.md') ?? '').matchAll(/^\| ([IF]\d+) \|/gm)].map(([, row]) => row));
    expect(rows.size).toBeGreaterThan(0);
    expect(wrong(/\b(I[1-9]|F[1-9]\d?)\b/g, (row = '') => !rows.has(row))).toEqual([]);
  });

  it('of the code, on the pages of the design, is of a file that is there', () => {
    const cited = ['docs/design.md', 'docs/reliability.md', 'docs/how-it-holds.md'].flatMap((page) =>
      [...(pages.get(page) ?? '').matchAll(/`((?:apps|libs|tools|test|helm)\/[^\s`]+)`/g)].map(([, path = '']) => path),
    );
    expect(cited.filter((path) => pathsOf(path).length === 0)).toEqual([]);
    expect(cited.length).toBeGreaterThan(0);
  });
});
