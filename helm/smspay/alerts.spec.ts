import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

/** The alerts, their runbooks and the dashboards: each fires and resolves, and names only what exists. */
const CHART = import.meta.dirname;
const ROOT = join(CHART, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Alert {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}
interface AlertTest {
  name: string;
  promql_expr_test: { expr: string; eval_time: string; exp_samples?: { labels: string }[] }[];
}
const groups: { rules: Alert[] }[] = parse(read('helm/smspay/alerts.yaml')).groups;
const alerts = groups.flatMap(({ rules }) => rules);
const tests: AlertTest[] = parse(read('helm/smspay/alerts.test.yaml')).tests;

const runbooks = read('docs/runbooks.md');
/** What stands in the runbooks as a command, in a block or in a line. */
const commands = [...runbooks.matchAll(/^ {4}(\w.*)$|`((?:kubectl|helm) [^`]+)`/gm)].map(
  ([, block, inLine]) => block ?? inLine ?? '',
);

const dashboards = globSync('helm/smspay/dashboards/*.json', { cwd: ROOT });
const queriesOf = (dashboard: string) =>
  [...dashboard.matchAll(/"expr": "(.*)"/g)].map(([, expr]) => JSON.parse(`"${expr}"`) as string);

/** Of docs/metrics.md, which a test keeps to the source; and those of Node.js, kube-state-metrics and the kubelet. */
const documented = new Set([...read('docs/metrics.md').matchAll(/^\| `(smspay_\w+)`/gm)].map(([, name]) => name));
const OF_OTHERS = new Set([
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
  'nodejs_eventloop_lag_p99_seconds',
  'kube_job_failed',
  'kube_job_owner',
  'kube_cronjob_created',
  'kube_cronjob_status_last_successful_time',
  'container_memory_working_set_bytes',
  'container_spec_memory_limit_bytes',
]);
const unknownIn = (query: string) =>
  [...query.matchAll(/\b(?:smspay|process|nodejs|kube|container)_\w+/g)]
    .map(([name]) => name)
    .filter((name) => !OF_OTHERS.has(name) && !documented.has(name) && !documented.has(name.replace(/_(bucket|count|sum)$/, '')));

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: ROOT });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}
const onPath = (tool: string, ...args: string[]) => {
  const there = spawnSync(tool, args).status === 0;
  if (!there) process.stderr.write(`no ${tool} on PATH: tests of the alerts and runbooks are skipped\n`);
  return there ? it : it.skip;
};
const itWithPromtool = onPath('promtool', '--version');
const itWithKubectl = onPath('kubectl', 'version', '--client');
const itWithHelm = onPath('helm', 'version');

describe('the alerts', () => {
  itWithPromtool('are valid, and do what alerts.test.yaml says', () => {
    run('promtool', 'check', 'rules', join(CHART, 'alerts.yaml'));
    run('promtool', 'test', 'rules', join(CHART, 'alerts.test.yaml'));
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))(
    '%s is quiet, fires and resolves in its test',
    (name, { labels }) => {
      const steps = tests.find((test) => test.name === name)?.promql_expr_test ?? [];
      expect(steps.map(({ expr }) => expr)).toEqual(Array(3).fill(`ALERTS{alertname="${name}"}`));
      expect(steps.map(({ exp_samples: samples }) => samples?.length ?? 0)).toEqual([0, 1, 0]);
      expect(steps[1]?.exp_samples?.[0]?.labels).toMatch(new RegExp(`alertstate="firing".*severity="${labels.severity}"`));
    },
  );

  it.each(alerts.map((alert) => [alert.alert, alert] as const))('%s says what to do, of metrics that exist', (name, alert) => {
    expect(['page', 'ticket']).toContain(alert.labels.severity);
    expect(alert.annotations).toEqual({
      summary: expect.any(String),
      description: expect.any(String),
      runbook_url: `docs/runbooks.md#${name.toLowerCase()}`,
    });
    expect(unknownIn(alert.expr)).toEqual([]);
  });
});

describe('the runbooks', () => {
  it('have a section for each alert, in its order', () => {
    expect([...runbooks.matchAll(/^## (.*)$/gm)].map(([, name]) => name)).toEqual(alerts.map(({ alert }) => alert));
  });

  it('look for lines of the log that the services write', () => {
    const sources = globSync(['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'], { cwd: ROOT, exclude: ['**/*.spec.ts'] })
      .map(read)
      .join('');
    const looked = commands.flatMap((command) => /grep '([^']+)'/.exec(command)?.[1] ?? []);
    expect(looked.length).toBeGreaterThan(0);
    expect(looked.filter((line) => !sources.includes(`'${line}`))).toEqual([]);
  });

  it('name commands of admin, with all their arguments', () => {
    const asked = new Set(commands.flatMap((command) => / -- (admin .*)$/.exec(command)?.[1] ?? []));
    expect(asked.size).toBeGreaterThan(0);
    for (const command of asked) {
      const words = command.split(' ').slice(1);
      const help = run(process.execPath, '--conditions=source', 'tools/admin/src/main.ts', ...words, '--help');
      const [, known = '', rest = ''] = /^Usage: ([\w -]+?) (?=[[<])(.*)$/m.exec(help) ?? [];
      expect(command.startsWith(`${known} `) || command === known ? known : command).toBe(known);
      const given = command.slice(known.length).split(' ').filter(Boolean);
      const options = given.filter((word) => word.startsWith('--'));
      expect(options.filter((option) => !help.includes(`  ${option} `) && !help.includes(`${option}\n`))).toEqual([]);
      // What is needed is given; what may be given may be left out.
      const needed = rest.match(/<\w+>/g) ?? [];
      if (options.length === 0 && !rest.includes('[ids...]')) expect(given).toHaveLength(needed.length);
    }
  });

  itWithKubectl('name commands and options of kubectl', () => {
    const asked = commands.filter((command) => command.startsWith('kubectl '));
    expect(asked.length).toBeGreaterThan(0);
    for (const command of new Set(asked)) {
      const [words = ''] = command.split(/ (?:-- |\| )/);
      const [, verb = '', more = ''] = words.split(' ');
      const help = run('kubectl', verb, ...(['create', 'rollout', 'top'].includes(verb) ? [more] : []), '--help');
      expect(help).toContain(`\nUsage:\n  kubectl ${verb}`);
      for (const [option] of words.matchAll(/ --?[a-z][a-z-]*/g))
        expect(help).toMatch(new RegExp(`^ +.*${option.trim()}[=,: ]`, 'm'));
    }
  });

  itWithHelm('name commands of helm, and what is in the chart', () => {
    for (const command of commands.filter((command) => command.startsWith('helm ')))
      expect(run('helm', ...command.split(' ').slice(1, command.startsWith('helm get') ? 3 : 2), '--help')).toContain('Usage:\n');
    const values = join(CHART, 'values-production.yaml');
    const given = ['publicUrl=https://pay.example.com', `twilio.accountSid=AC${'1'.repeat(32)}`].flatMap((value) => [
      '--set',
      value,
    ]);
    const rendered = run('helm', 'template', 'smspay', CHART, '--kube-version', '1.35.0', '-f', values, ...given);
    const named = commands.flatMap(
      (command) => command.match(/(?<=[ /])smspay-[a-z-]+(?=[ /]|-\d|$)|(?<=component=)[a-z-]+/g) ?? [],
    );
    expect(named.length).toBeGreaterThan(0);
    expect([...new Set(named)].filter((name) => !new RegExp(`(name|component|Name): "?${name}\\b`).test(rendered))).toEqual([]);
  });
});

describe.each(dashboards)('%s', (file) => {
  const dashboard = read(file);

  it('asks for metrics that exist', () => {
    expect(JSON.parse(dashboard)).toMatchObject({ uid: expect.any(String), title: expect.any(String) });
    expect(queriesOf(dashboard).length).toBeGreaterThan(9);
    expect(queriesOf(dashboard).flatMap(unknownIn)).toEqual([]);
  });

  itWithPromtool('asks what Prometheus understands', () => {
    for (const query of queriesOf(dashboard))
      run('promtool', '--experimental', 'promql', 'format', query.replaceAll('$__rate_interval', '5m'));
  });
});
