import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import getPort from 'get-port';
import { ROOT } from '../../tools/start/root.ts';
import { ending, helm, kubectl, pause, until } from './run.ts';

export const CHART = join(ROOT, 'helm/smspay');
export const SERVICES = ['sms-gateway', 'transactions', 'wallet', 'notifications'] as const;
/** Of every release: each has a namespace of its own. */
export const NAME = 'smspay';

/** As far as we read it. */
export interface Pod {
  metadata: { name: string; uid: string; labels: Record<string, string>; deletionTimestamp?: string };
  spec: { nodeName: string; containers: { image: string }[] };
  status: {
    phase: string;
    podIP?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { name: string; containerID: string; restartCount: number; ready: boolean }[];
  };
}

/** A Deployment or StatefulSet. */
interface Owner {
  metadata: { generation: number };
  spec: { replicas: number };
  status: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
}

const isSettled = ({ metadata, spec: { replicas }, status }: Owner) =>
  status.observedGeneration === metadata.generation &&
  [status.replicas, status.updatedReplicas, status.availableReplicas].every((count) => (count ?? 0) === replicas);

export const isReady = (pod: Pod) =>
  !pod.metadata.deletionTimestamp &&
  (pod.status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
/** The container that a pod is there for: it has the component's name. */
export const containerOf = ({ metadata, status }: Pod) =>
  status.containerStatuses?.find(({ name }) => name === metadata.labels['app.kubernetes.io/component']);

/** `--set` for each. A comma in a value is escaped by who writes it. */
export const set = (values: Record<string, string | number | boolean>): string[] =>
  Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

const INSTALL_MS = 5 * 60_000;

/** A release of the chart in a namespace of its own, which enforces the restricted Pod Security Standard. */
export class Release {
  readonly namespace: string;
  readonly #values: readonly string[];
  readonly #forwards: PortForward[] = [];

  /** `values`: what every install and upgrade of it is given, `-f …` and `--set …`. */
  constructor(namespace: string, values: readonly string[]) {
    this.namespace = namespace;
    this.#values = values;
  }

  async makeNamespace(): Promise<void> {
    await this.kubectl('create', 'namespace', this.namespace);
    await this.kubectl('label', 'namespace', this.namespace, 'pod-security.kubernetes.io/enforce=restricted');
  }

  install(more: readonly string[] = []): Promise<void> {
    return this.#deploy('install', more);
  }

  upgrade(more: readonly string[] = []): Promise<void> {
    return this.#deploy('upgrade', more);
  }

  async #deploy(how: 'install' | 'upgrade', more: readonly string[]): Promise<void> {
    const options = [...this.#values, ...more, '--wait', '--timeout', `${INSTALL_MS / 1000}s`];
    await this.helm([how, NAME, CHART, ...options]).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await this.kubectl('get', 'pods')}`, { cause: error });
    });
    // helm does not wait for the pods that stop.
    await this.settled();
  }

  /** Removes the namespace and all that is in it. */
  async remove(): Promise<void> {
    for (const forward of this.#forwards) forward.stop();
    await kubectl(['delete', 'namespace', this.namespace, '--wait=false', '--ignore-not-found'], { always: true });
  }

  kubectl(...args: string[]): Promise<string> {
    return kubectl(['--namespace', this.namespace, ...args], { timeoutMs: INSTALL_MS });
  }

  helm(args: readonly string[]): Promise<string> {
    return helm(['--namespace', this.namespace, ...args], { timeoutMs: 2 * INSTALL_MS });
  }

  async apply(manifest: object): Promise<void> {
    await kubectl(['--namespace', this.namespace, 'apply', '-f', '-'], { input: JSON.stringify(manifest) });
  }

  async get<T>(...what: string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...what, '--output', 'json')) as T;
  }

  /** The pods of a component, those that are going away not. */
  async pods(component: string): Promise<Pod[]> {
    const labels = `app.kubernetes.io/instance=${NAME},app.kubernetes.io/component=${component}`;
    const { items } = await this.get<{ items: Pod[] }>('pods', '--selector', labels);
    return items.filter((pod) => !pod.metadata.deletionTimestamp && pod.status.phase !== 'Succeeded');
  }

  /** Runs a script in a pod of the release, by its own Node. */
  node(target: string, script: string): Promise<string> {
    return this.kubectl('exec', target, '--', 'node', '--input-type=module', '--eval', script);
  }

  async secret(name: string): Promise<Record<string, string>> {
    const { data } = await this.get<{ data: Record<string, string> }>('secret', name);
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  }

  /** A port of this machine that leads to one of the release. It is gone with the release. */
  async forward(target: string, port: number): Promise<PortForward> {
    const forward = await PortForward.start(this.namespace, target, port);
    this.#forwards.push(forward);
    return forward;
  }

  /** Waits until all pods are as they should be, and those that stop are gone. */
  async settled(): Promise<void> {
    const look = async () => {
      const { items: owners } = await this.get<{ items: Owner[] }>('deployments,statefulsets');
      const { items: pods } = await this.get<{ items: Pod[] }>('pods');
      return owners.every(isSettled) && pods.every((pod) => !pod.metadata.deletionTimestamp);
    };
    await until(look, () => 'every Deployment and StatefulSet to be rolled out', INSTALL_MS);
  }

  /** Waits until a component has `count` pods and all are ready. */
  ready(component: string, count: number, timeoutMs = 120_000): Promise<void> {
    const look = async () => {
      const pods = await this.pods(component);
      return pods.length === count && pods.every(isReady);
    };
    return until(look, () => `${count} ready pods of ${component}`, timeoutMs);
  }
}

/** `kubectl port-forward`, begun again when it ends. */
export class PortForward {
  readonly port: number;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #stopped = false;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  static async start(namespace: string, target: string, port: number): Promise<PortForward> {
    const own = await getPort();
    const forward = new PortForward(own, ['--namespace', namespace, 'port-forward', target, `${own}:${port}`]);
    await forward.#run();
    return forward;
  }

  stop(): void {
    this.#stopped = true;
    this.#child?.kill();
  }

  /** Resolves when it listens. */
  async #run(): Promise<void> {
    const child = spawn('kubectl', this.#args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    ending.signal.addEventListener('abort', () => child.kill());
    child.once('exit', () => {
      if (!this.#stopped && !ending.signal.aborted) void pause(500).then(() => this.#run().catch(() => undefined));
    });
    let said = '';
    child.stderr.on('data', (data) => (said += data));
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => line.startsWith('Forwarding from') && resolve());
      child.once('exit', () => reject(new Error(`kubectl ${this.#args.join(' ')}: ${said.trim()}`)));
    });
  }
}
