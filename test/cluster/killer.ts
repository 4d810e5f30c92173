import { kubectl, until } from './run.ts';
import { containerOf, type Pod, Release } from './release.ts';

/** Run in a pod that sees the processes of its node. Kills all whose cgroup names the container; prints how many. */
const KILL = (containerId: string) => `
  import { readdirSync, readFileSync } from 'node:fs';
  let killed = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name))) {
    try {
      if (!readFileSync('/proc/' + pid + '/cgroup', 'utf8').includes('${containerId}')) continue;
      process.kill(Number(pid), 'SIGKILL');
      killed++;
    } catch {} // it ended meanwhile
  }
  console.log(killed);`;

/** `kill -9` of what runs in pods: a pod that is deleted by force is asked to end first. One privileged pod a node does it. */
export class Killer {
  readonly #namespace: string;
  readonly #image: string;
  #hands: Promise<Map<string, string>> | undefined;

  constructor(namespace: string, image: string) {
    this.#namespace = namespace;
    this.#image = image;
  }

  /** Kills all these pods at once; resolves when each has been started again and is ready. */
  async kill(release: Release, pods: readonly Pod[]): Promise<void> {
    this.#hands ??= this.#start();
    const hands = await this.#hands;
    await Promise.all(
      pods.map(async (pod) => {
        const { metadata, spec } = pod;
        const id = containerOf(pod)?.containerID.replace(/^.*:\/\//, '') ?? '';
        const hand = hands.get(spec.nodeName);
        if (!id || !hand) throw new Error(`${metadata.name} has no container, or ${spec.nodeName} nobody to kill it`);
        const script = ['node', '--input-type=module', '--eval', KILL(id)];
        const killed = await kubectl(['--namespace', this.#namespace, 'exec', hand, '--', ...script]);
        if (Number(killed) === 0) throw new Error(`no process of ${metadata.name} was found on ${spec.nodeName}`);
      }),
    );
    for (const pod of pods) {
      const restarted = async () => {
        const now = containerOf(await release.get<Pod>('pod', pod.metadata.name));
        return now !== undefined && now.ready && now.restartCount > (containerOf(pod)?.restartCount ?? 0);
      };
      await until(restarted, () => `${pod.metadata.name} to be started again`, 120_000);
    }
  }

  async remove(): Promise<void> {
    if (this.#hands) await kubectl(['delete', 'namespace', this.#namespace, '--wait=false'], { always: true });
  }

  /** The killing pod of each node. */
  async #start(): Promise<Map<string, string>> {
    const labels = { app: 'killer' };
    const killer = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'killer' },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            hostPID: true,
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 0,
            tolerations: [{ operator: 'Exists' }],
            containers: [
              {
                name: 'killer',
                image: this.#image,
                command: ['node', '--eval', 'setInterval(() => {}, 1e9)'],
                securityContext: { privileged: true, runAsUser: 0 },
              },
            ],
          },
        },
      },
    };
    await kubectl(['create', 'namespace', this.#namespace]);
    await kubectl(['label', 'namespace', this.#namespace, 'pod-security.kubernetes.io/enforce=privileged']);
    await kubectl(['--namespace', this.#namespace, 'apply', '-f', '-'], { input: JSON.stringify(killer) });
    await kubectl(['--namespace', this.#namespace, 'rollout', 'status', 'daemonset/killer', '--timeout=60s']);
    const { items } = JSON.parse(await kubectl(['--namespace', this.#namespace, 'get', 'pods', '-o', 'json'])) as {
      items: Pod[];
    };
    return new Map(items.map((pod) => [pod.spec.nodeName, pod.metadata.name]));
  }
}
