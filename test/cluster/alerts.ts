import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PhonesPage } from '../../tools/cluster-test/src/phones-page.ts';
import { CHART, type Release, SERVICES, set } from './release.ts';
import { pause, until } from './run.ts';
import type { Scenario } from './suite.ts';

const IMAGE = 'prom/prometheus:v3.5.0';
const PORT = 9090;
/** Older than the alert asks for, for longer than it asks for, seen by a look. */
const FIRES_MS = 5 * 60_000;
const RESOLVES_MS = 3 * 60_000;
const QUIET_MS = 30_000;
const ADA = '+254711000001';
/** Fire while notifications is away. */
const EXPECTED = ['SmspaySmsWithoutAnswer', 'SmspayServiceMissing'];

interface Alert {
  state: 'pending' | 'firing';
  labels: { alertname: string };
  annotations: { summary: string };
}

export const alerts: Scenario = {
  name: 'alerts',
  title: 'The rules of the chart in a Prometheus that looks at the real pods: an alert fires and resolves',
  async run(suite) {
    const release = await suite.release('alerts', ['-f', `${CHART}/values-dev.yaml`]);
    await release.install(set({ 'monitoring.namespace': release.namespace }));
    const prometheus = await Prometheus.start(release);
    const { port } = await release.forward('service/smspay-simulator', 3000);
    const phones = await PhonesPage.open(`http://127.0.0.1:${port}`);
    try {
      await suite.check('Prometheus reaches the four services through their NetworkPolicies, and takes all rules', async () => {
        const seen = () => prometheus.count('group by (service) (smspay_ready == 1 and smspay_nats_connected == 1)');
        await until(
          async () => (await seen()) === SERVICES.length,
          () => 'four services that are ready',
          60_000,
        );
        return `${await prometheus.rules()} rules`;
      });
      await suite.check('no alert fires while people are answered', async () => {
        await phones.addPhone(ADA);
        await phones.insist(ADA, 'JOIN', QUIET_MS);
        await phones.receives(ADA, /^Welcome/, QUIET_MS);
        await pause(QUIET_MS);
        const firing = (await prometheus.alerts()).filter(({ state }) => state === 'firing');
        if (firing.length > 0) throw new Error(JSON.stringify(firing));
      });

      await release.kubectl('scale', 'deployment/smspay-notifications', '--replicas=0');
      // A pod that is asked to end still answers what comes.
      await release.kubectl(
        'wait',
        '--for=delete',
        'pod',
        '--selector=app.kubernetes.io/component=notifications',
        '--timeout=60s',
      );
      await phones.insist(ADA, 'BAL', QUIET_MS);
      for (const name of EXPECTED) {
        await suite.check(`without notifications ${name} fires`, () => prometheus.fires(name));
      }
      await release.kubectl('scale', 'deployment/smspay-notifications', '--replicas=1');
      await suite.check('with them again the SMS is answered, and both resolve', async () => {
        const began = Date.now();
        await phones.receives(ADA, /^Balance/, RESOLVES_MS);
        const at = Date.now();
        const gone = async () => (await prometheus.alerts()).every(({ labels }) => !EXPECTED.includes(labels.alertname));
        await until(gone, () => 'both to resolve', RESOLVES_MS);
        return `answered after ${seconds(at - began)}, resolved after ${seconds(Date.now() - began)}`;
      });
    } finally {
      phones.close();
    }
  },
};

const seconds = (ms: number) => `${(ms / 1_000).toFixed(0)} s`;

/** A Prometheus beside a release, with the chart's rules as they are. */
class Prometheus {
  readonly #url: string;
  private constructor(url: string) {
    this.#url = url;
  }

  static async start(release: Release): Promise<Prometheus> {
    await release.apply(manifests(release));
    await release.kubectl('rollout', 'status', 'deployment/prometheus', '--timeout=120s');
    const { port } = await release.forward('deployment/prometheus', PORT);
    return new Prometheus(`http://127.0.0.1:${port}/api/v1`);
  }

  async alerts(): Promise<Alert[]> {
    return (await this.#get<{ alerts: Alert[] }>('/alerts')).alerts;
  }

  /** Waits until an alert fires; says how long that took, and what it tells. */
  async fires(name: string): Promise<string> {
    const began = Date.now();
    let firing: Alert | undefined;
    const look = async () => {
      firing = (await this.alerts()).find(({ state, labels }) => state === 'firing' && labels.alertname === name);
      return firing !== undefined;
    };
    await until(look, () => name, FIRES_MS);
    return `after ${seconds(Date.now() - began)}: “${firing?.annotations.summary}”`;
  }

  /** How many series a query has. */
  async count(query: string): Promise<number> {
    return (await this.#get<{ result: unknown[] }>(`/query?query=${encodeURIComponent(query)}`)).result.length;
  }

  /** How many rules there are. Throws if one could not be evaluated. */
  async rules(): Promise<number> {
    const { groups } = await this.#get<{ groups: { rules: { name: string; lastError?: string }[] }[] }>('/rules');
    const rules = groups.flatMap((group) => group.rules);
    const wrong = rules.filter(({ lastError }) => lastError);
    if (wrong.length > 0) throw new Error(JSON.stringify(wrong));
    return rules.length;
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(this.#url + path);
    const { data, error } = (await answer.json()) as { data: T; error?: string };
    if (error) throw new Error(error);
    return data;
  }
}

/** What the chart's PodMonitor says, for a Prometheus without an operator. */
const config = {
  global: { scrape_interval: '5s', evaluation_interval: '5s' },
  rule_files: ['/etc/prometheus/alerts.yaml'],
  scrape_configs: [
    {
      job_name: 'smspay',
      kubernetes_sd_configs: [{ role: 'pod', namespaces: { own_namespace: true } }],
      relabel_configs: [
        { source_labels: ['__meta_kubernetes_pod_label_app_kubernetes_io_component'], regex: SERVICES.join('|'), action: 'keep' },
        { source_labels: ['__meta_kubernetes_pod_label_app_kubernetes_io_component'], target_label: 'service' },
        { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
        { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
      ],
    },
  ],
};

function manifests({ namespace }: Release): object {
  const metadata = { name: 'prometheus' };
  const labels = { app: 'prometheus' };
  const account = { kind: 'ServiceAccount', name: 'prometheus', namespace };
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: 65534,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const files = ['--config.file=/etc/prometheus/prometheus.yaml', '--storage.tsdb.path=/data'];
  const volumeMounts = [
    { name: 'config', mountPath: '/etc/prometheus' },
    { name: 'data', mountPath: '/data' },
  ];
  const readinessProbe = { httpGet: { path: '/-/ready', port: PORT }, periodSeconds: 1 };
  const container = { name: 'prometheus', image: IMAGE, args: files, securityContext, volumeMounts, readinessProbe };
  const volumes = [
    { name: 'config', configMap: metadata },
    { name: 'data', emptyDir: {} },
  ];
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata,
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'prometheus' },
        subjects: [account],
      },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata,
        data: { 'prometheus.yaml': JSON.stringify(config), 'alerts.yaml': readFileSync(join(CHART, 'alerts.yaml'), 'utf8') },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { serviceAccountName: 'prometheus', containers: [container], volumes } },
        },
      },
    ],
  };
}
