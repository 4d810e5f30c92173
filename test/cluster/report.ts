import { availableParallelism, totalmem } from 'node:os';
import { ROOT } from '../../tools/start/root.ts';
import { kubectl, run } from './run.ts';
import type { Check, Scenario } from './suite.ts';

export interface Shown {
  scenario: Scenario;
  checks: Check[];
  ms: number;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(0)} s`;

/** A check as the terminal shows it. */
export const lineOf = ({ sentence, figure, problem, ms }: Check): string =>
  `${problem ? 'FAILED' : 'ok    '}  ${sentence}${figure ? `: ${figure}` : ''}${problem ? `: ${problem}` : ''} (${seconds(ms)})`;

/** Where it ran. */
export async function headOf(): Promise<string> {
  const { serverVersion } = JSON.parse(await kubectl(['version', '--output', 'json'])) as {
    serverVersion: { gitVersion: string };
  };
  const nodes = (await kubectl(['get', 'nodes', '--output', 'name'])).trim().split('\n').length;
  const commit = (await run('git', ['-C', ROOT, 'rev-parse', '--short', 'HEAD'])).trim();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `Commit ${commit}, Kubernetes ${serverVersion.gitVersion}, ${nodes} ${nodes === 1 ? 'node' : 'nodes'}, ${availableParallelism()} cores and ${gigabytes} GB for all.`;
}

/** The page of a whole run. */
export function reportOf(head: string, shown: readonly Shown[]): string {
  const checks = shown.flatMap((one) => one.checks);
  const failed = checks.filter(({ problem }) => problem).length;
  const parts = shown.map(
    ({ scenario, checks: own, ms }) =>
      `## ${scenario.title}\n\n\`npm run test:cluster -- ${scenario.name}\`, ${seconds(ms)}\n\n${own.map(item).join('\n')}\n`,
  );
  return [
    `# Shown on a cluster\n\nWritten by \`npm run test:cluster -- --report\`. ${head}\n`,
    `${checks.length - failed} passed, ${failed} failed, ${seconds(shown.reduce((sum, { ms }) => sum + ms, 0))}.\n`,
    ...parts,
  ].join('\n');
}

const item = ({ sentence, figure, problem }: Check) =>
  `- ${problem ? '**failed**: ' : ''}${sentence}${figure ? `: ${figure}` : ''}${problem ? `: ${problem}` : ''}`;
