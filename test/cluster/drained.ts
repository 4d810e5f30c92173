import { NAME } from './release.ts';
import { kubectl } from './run.ts';
import type { Scenario } from './suite.ts';
import { mustHaveAnswered, saw } from './town.ts';

interface Node {
  metadata: { name: string };
  spec: { unschedulable?: boolean };
}

export const drained: Scenario = {
  name: 'drained',
  title: 'A node drained at half of the sustained rate (F20)',
  async run(suite) {
    const { items: nodes } = JSON.parse(await kubectl(['get', 'nodes', '--output', 'json'])) as { items: Node[] };
    if (nodes.filter(({ spec }) => !spec.unschedulable).length < 2)
      return suite.skip('a node is drained', 'the cluster has one node that takes pods, and needs two');
    const town = await suite.town();
    const { release } = town;
    return suite.check('each webhook answered 2xx, the disruption budgets kept, nothing lost, nothing double', async () => {
      // Both nodes have pods of each service: the release spreads them when it starts them.
      await release.kubectl('rollout', 'restart', 'deployment', '--selector', `${LABELS},${MOVABLE}`);
      await release.settled();
      const [database] = await release.pods('mongodb');
      const node = nodes.find(({ metadata }) => metadata.name !== database?.spec.nodeName)?.metadata.name ?? '';
      const selector = `--pod-selector=${LABELS},${MOVABLE}`;
      const away = [node, '--ignore-daemonsets', '--delete-emptydir-data', selector, '--timeout=240s'];
      let evicted = 0;
      try {
        const seen = await town.underHalfLoad(async () => {
          const said = await kubectl(['drain', ...away]);
          evicted = said.match(/ evicted$/gm)?.length ?? 0;
          await release.settled();
        });
        if (evicted === 0) throw new Error(`${node} had no pod to evict`);
        return `${evicted} pods evicted; ${saw(mustHaveAnswered(seen))}`;
      } finally {
        await kubectl(['uncordon', node], { always: true });
      }
    });
  },
};

const LABELS = `app.kubernetes.io/instance=${NAME}`;
/** The simulator keeps the phones, and is not what is tried. */
const MOVABLE = 'app.kubernetes.io/component notin (simulator)';
