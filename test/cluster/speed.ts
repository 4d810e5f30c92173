import { availableParallelism } from 'node:os';
import { NAME, type Release, SERVICES } from './release.ts';
import { kubectl, pause } from './run.ts';
import type { Scenario } from './suite.ts';

const IDLE_GOAL_BYTES = 400 * 2 ** 20;
const IDLE_MS = 30_000;
const MEASURED_MS = 20_000;
const PAYERS = 12;
const BEYOND = ['mongodb', 'nats', 'simulator'] as const;
const ALL = [...SERVICES, ...BEYOND];

/** What the kubelet knows of a pod, as far as we read it. */
interface Summary {
  pods: {
    podRef: { namespace: string; name: string };
    cpu?: { usageCoreNanoSeconds?: number };
    memory?: { workingSetBytes?: number };
  }[];
}

/** CPU time used until now, and memory in use, of all pods of a component. */
interface Usage {
  cpuMs: number;
  bytes: number;
}

export const speed: Scenario = {
  name: 'speed',
  title: 'Memory, CPU, and payments a second by the number of pods',
  async run(suite) {
    const town = await suite.town();
    const { release } = town;
    try {
      await scale(release, 1);
      await suite.check('the four services idle in less than 400 MB together', async () => {
        await pause(IDLE_MS);
        const before = await usageOf(release);
        await pause(MEASURED_MS);
        const after = await usageOf(release);
        const bytes = SERVICES.reduce((sum, service) => sum + after[service].bytes, 0);
        const figure = `${megabytes(bytes)}; ${ALL.map((name) => `${name} ${megabytes(after[name].bytes)}, ${milli(before[name], after[name], MEASURED_MS)}`).join('; ')}`;
        if (bytes > IDLE_GOAL_BYTES) throw new Error(figure);
        return figure;
      });
      for (const replicas of [1, 2, 4]) {
        await scale(release, replicas);
        await suite.check(`${replicas} of each, ${PAYERS} people paying as fast as they can`, async () => {
          const usage: Record<string, Usage>[] = [];
          let [began, ms] = [0, 0];
          const { latenciesMs, seconds } = await town.pays({ payers: PAYERS }, async () => {
            usage.push(await usageOf(release));
            began = performance.now();
            await pause(MEASURED_MS);
            ms = performance.now() - began;
            usage.push(await usageOf(release));
          });
          const [before = {}, after = {}] = usage;
          const used = ALL.map((name) => ({
            name,
            cores: ((after[name]?.cpuMs ?? 0) - (before[name]?.cpuMs ?? 0)) / ms,
            bytes: after[name]?.bytes ?? 0,
          }));
          const cores = used.reduce((sum, one) => sum + one.cores, 0);
          const parts = used.map(({ name, cores: own, bytes }) => `${name} ${own.toFixed(2)} cores, ${megabytes(bytes)}`);
          return (
            `${(latenciesMs.length / seconds).toFixed(1)} payments a second; ` +
            `${cores.toFixed(2)} of ${availableParallelism()} cores: ${parts.join('; ')}`
          );
        });
      }
      await suite.check('I1–I7 hold', () => town.check());
    } finally {
      await scale(release, 2);
    }
  },
};

async function scale(release: Release, replicas: number): Promise<void> {
  for (const service of SERVICES) await release.kubectl('scale', `deployment/${NAME}-${service}`, `--replicas=${replicas}`);
  for (const service of SERVICES) await release.ready(service, replicas);
}

async function usageOf(release: Release): Promise<Record<(typeof ALL)[number], Usage>> {
  const nodes = (await kubectl(['get', 'nodes', '--output', 'jsonpath={.items[*].metadata.name}'])).split(' ');
  const summaries = nodes.map(
    async (node) => JSON.parse(await kubectl(['get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`])) as Summary,
  );
  const pods = (await Promise.all(summaries)).flatMap((summary) => summary.pods);
  const own = pods.filter(({ podRef }) => podRef.namespace === release.namespace);
  const usage = (component: string): Usage => {
    const its = own.filter(({ podRef }) => podRef.name.startsWith(`${NAME}-${component}-`));
    return {
      cpuMs: its.reduce((sum, { cpu }) => sum + (cpu?.usageCoreNanoSeconds ?? 0) / 1e6, 0),
      bytes: its.reduce((sum, { memory }) => sum + (memory?.workingSetBytes ?? 0), 0),
    };
  };
  return Object.fromEntries(ALL.map((name) => [name, usage(name)])) as Record<(typeof ALL)[number], Usage>;
}

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
const milli = (before: Usage, after: Usage, ms: number) =>
  `${Math.round(((after.cpuMs - before.cpuMs) * 1_000) / ms)} m of a core`;
