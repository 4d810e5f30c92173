import { type Pod, SERVICES } from './release.ts';
import { kubectl } from './run.ts';
import type { Scenario } from './suite.ts';
import type { Release } from './release.ts';

export const budget: Scenario = {
  name: 'budget',
  title: 'The disruption budgets block what they should',
  async run(suite) {
    const { release } = await suite.town();
    for (const component of [...SERVICES, 'nats']) {
      await suite.check(`of ${component} one pod may be evicted, a second one not meanwhile`, async () => {
        const pods = await release.pods(component);
        const [first, second] = pods;
        if (!first || !second) throw new Error(`there are ${pods.length} pods`);
        const answers = [await evict(release, first), await evict(release, second)];
        await release.ready(component, pods.length);
        if (answers[0] !== 'evicted') throw new Error(`the first: ${answers[0]}`);
        if (!/disruption budget/.test(answers[1] ?? '')) throw new Error(`the second: ${answers[1]}`);
      });
    }
  },
};

/** What the eviction API answers. */
function evict(release: Release, { metadata: { name } }: Pod): Promise<string> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: release.namespace } };
  const path = `/api/v1/namespaces/${release.namespace}/pods/${name}/eviction`;
  return kubectl(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(eviction) }).then(
    () => 'evicted',
    (error: Error) => error.message,
  );
}

/** What a pod says of itself: its user, whether it can write to its root, and whether it has a token of the cluster. */
const CONFINED = `
  import { existsSync, writeFileSync } from 'node:fs';
  let writes = true;
  try { writeFileSync('/app/written', ''); } catch { writes = false; }
  console.log(JSON.stringify({ user: process.getuid(), writes, token: existsSync('/var/run/secrets/kubernetes.io') }));`;

export const restricted: Scenario = {
  name: 'restricted',
  title: 'The restricted Pod Security Standard is enforced',
  async run(suite) {
    const { release } = await suite.town();
    await suite.check('the whole release runs in a namespace that enforces it', async () => {
      const { items } = await release.get<{ items: Pod[] }>('pods');
      return `${items.length} pods`;
    });
    await suite.check('a privileged pod is refused there', async () => {
      const container = { name: 'bad', image: suite.image, securityContext: { privileged: true } };
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bad' }, spec: { containers: [container] } };
      const said = await kubectl(['--namespace', release.namespace, 'create', '-f', '-'], { input: JSON.stringify(pod) }).then(
        () => 'it was made',
        (error: Error) => error.message,
      );
      if (!said.includes('violates PodSecurity "restricted:latest"')) throw new Error(said);
    });
    for (const service of SERVICES) {
      await suite.check(`${service} is not root, cannot write to its root, has no token of the cluster`, async () => {
        const [pod] = await release.pods(service);
        const said = (await release.node(pod?.metadata.name ?? '', CONFINED)).trim();
        if (said !== '{"user":1000,"writes":false,"token":false}') throw new Error(said);
      });
    }
  },
};
