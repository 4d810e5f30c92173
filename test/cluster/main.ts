import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from 'commander';
import { ROOT } from '../../tools/start/root.ts';
import { headOf, lineOf, reportOf, type Shown } from './report.ts';
import { ending } from './run.ts';
import { SCENARIOS } from './scenarios.ts';
import { mustBeTestCluster, Suite } from './suite.ts';

const REPORT = join(ROOT, 'docs/cluster-run.md');

program
  .name('npm run test:cluster --')
  .description('Shows on the cluster of the current kubeconfig context what the chart and the services promise (test/cluster)')
  .argument('[names...]', `of scenarios, or parts of names; all if absent: ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  .option('--report', 'write docs/cluster-run.md')
  .parse();
const chosen = SCENARIOS.filter(({ name }) => program.args.length === 0 || program.args.some((part) => name.includes(part)));
if (chosen.length === 0) program.error(`no scenario is named ${program.args.join(', ')}`);
const { report } = program.opts<{ report?: true }>();
if (report && program.args.length > 0) program.error('--report: the page shows all scenarios, so name none');

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort(new Error(signal)));

const shown: Shown[] = [];
let failed = 0;
let passed = 0;
let suite: Suite | undefined;
try {
  await mustBeTestCluster();
  suite = await Suite.open(console.log, (check) => {
    shown.at(-1)?.checks.push(check);
    if (check.problem) failed++;
    else if (!check.skipped) passed++;
    console.log(lineOf(check));
  });
  const head = await headOf(suite.database);
  for (const scenario of chosen) {
    ending.signal.throwIfAborted();
    const began = Date.now();
    const now: Shown = { scenario, checks: [], ms: 0 };
    shown.push(now);
    console.log(`── ${scenario.title}`);
    await scenario.run(suite).catch((error: Error) => {
      failed++;
      const check = { sentence: 'it goes through to its end', problem: error.message, ms: 0 };
      now.checks.push(check);
      console.log(lineOf(check));
    });
    await suite.tidy();
    now.ms = Date.now() - began;
    console.log(`   ${(now.ms / 1000).toFixed(0)} s`);
    // Each time: a run that is ended before its end has shown something too.
    if (report) writeFileSync(REPORT, reportOf(head, shown));
  }
} catch (error) {
  failed++;
  console.error(error instanceof Error ? error.message : error);
} finally {
  await suite?.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
