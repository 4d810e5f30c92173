import { availableParallelism, totalmem } from 'node:os';
import { ROOT } from '../../tools/start/root.ts';
import { kubectl, run } from './run.ts';
import type { Check, Scenario } from './suite.ts';

export interface Shown {
  scenario: Scenario;
  checks: Check[];
  ms: number;
}

const told = ({ sentence, figure, problem, skipped }: Check) =>
  [sentence, figure ?? problem ?? skipped].filter(Boolean).join(': ');
const seconds = (ms: number) => `${(ms / 1000).toFixed(0)} s`;

/** A check as the terminal shows it. */
export const lineOf = (check: Check): string =>
  `${check.problem ? 'FAILED ' : check.skipped ? 'skipped' : 'ok     '} ${told(check)} (${seconds(check.ms)})`;

/** Where it ran. */
export async function headOf(database: string): Promise<string> {
  const { serverVersion } = JSON.parse(await kubectl(['version', '--output', 'json'])) as {
    serverVersion: { gitVersion: string };
  };
  const nodes = (await kubectl(['get', 'nodes', '--output', 'name'])).trim().split('\n').length;
  const commit = (await run('git', ['-C', ROOT, 'rev-parse', '--short', 'HEAD'])).trim();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `Commit ${commit}, Kubernetes ${serverVersion.gitVersion}, ${nodes} ${nodes === 1 ? 'node' : 'nodes'}, ${availableParallelism()} cores and ${gigabytes} GB for all; the database is ${database}.`;
}

/** The page of a whole run. */
export function reportOf(head: string, shown: readonly Shown[]): string {
  const checks = shown.flatMap((one) => one.checks);
  const count = (which: (check: Check) => unknown) => checks.filter(which).length;
  const parts = shown.map(
    ({ scenario, checks: own, ms }) =>
      `## ${scenario.title}\n\n\`npm run test:cluster -- ${scenario.name}\`, ${seconds(ms)}\n\n${own.map(item).join('\n')}\n`,
  );
  return [
    `# Shown on a cluster\n\nWritten by \`npm run test:cluster -- --report\`. ${head}\n`,
    `${count(({ problem, skipped }) => !problem && !skipped)} passed, ${count(({ problem }) => problem)} failed, ${seconds(shown.reduce((sum, { ms }) => sum + ms, 0))}.\n`,
    ...parts,
  ].join('\n');
}

const item = (check: Check) => `- ${check.problem ? '**failed**: ' : check.skipped ? '*not tried*: ' : ''}${told(check)}`;
