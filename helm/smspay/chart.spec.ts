import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { askersIn } from '#libs/contracts';
import { parse } from 'yaml';

const CHART = import.meta.dirname;
/** Some helms take an old version for that of a cluster they cannot ask. */
const CLUSTER = ['--kube-version', '1.35.0'];
const DEV = ['-f', `${CHART}/values-dev.yaml`];
const set = (...values: string[]) => values.flatMap((value) => ['--set', value]);
const WITHOUT_MONGODB = set(
  'publicUrl=https://pay.example.com',
  `twilio.accountSid=AC${'1'.repeat(32)}`,
  'twilio.existingSecret=our-twilio',
);
const PRODUCTION = [...WITHOUT_MONGODB, ...set('mongodb.existingSecret=our-mongodb')];
const KEDA = 'services.wallet.autoscaling.keda';
const SERVICES = ['sms-gateway', 'transactions', 'wallet', 'notifications'];
const DATABASES = ['smspay_sms_gateway', 'smspay_transactions', 'smspay_wallet'];

const hasHelm = spawnSync('helm', ['version']).status === 0;
if (!hasHelm) process.stderr.write('no helm on PATH: the tests of the chart are skipped\n');

/** What helm says: the output, or what it refuses. */
function helm(command: 'template' | 'lint', ...options: string[]): { manifests: string[]; refused?: string } {
  const args = command === 'template' ? ['template', 'shop', CHART] : ['lint', '--strict', CHART];
  const { status, stdout, stderr } = spawnSync('helm', [...args, ...CLUSTER, ...options], { encoding: 'utf8' });
  return status === 0 ? { manifests: stdout.split(/^---$/m) } : { manifests: [], refused: stdout + stderr };
}

/** The manifests of a kind. Fails if there is none. */
function ofKind(kind: string, manifests: readonly string[]): string[] {
  const found = manifests.filter((manifest) => manifest.includes(`\nkind: ${kind}\n`));
  if (found.length === 0) throw new Error(`no ${kind} is rendered`);
  return found;
}

/** What the pattern's group is, wherever it matches. */
const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name);

/** The one manifest of a kind and name. */
function theOne(kind: string, name: string, manifests: readonly string[]): string {
  const found = ofKind(kind, manifests).filter((manifest) => manifest.includes(`\n  name: ${name}\n`));
  expect(found).toHaveLength(1);
  return found.join('');
}

(hasHelm ? describe : describe.skip)('the chart', () => {
  it.each([
    ['production', PRODUCTION],
    ['a demo', DEV],
    ['values-production.yaml', ['-f', `${CHART}/values-production.yaml`, ...PRODUCTION]],
    ['values-azure.yaml', ['-f', `${CHART}/values-production.yaml`, '-f', `${CHART}/values-azure.yaml`, ...PRODUCTION]],
  ])('passes lint for %s', (_, values) => {
    expect(helm('lint', ...values).refused).toBeUndefined();
  });

  it('makes the four services alike, restricted, and never fewer than there are while they roll', () => {
    const { manifests } = helm('template', ...PRODUCTION);
    expect(ofKind('Deployment', manifests)).toHaveLength(SERVICES.length + 1);
    for (const deployment of SERVICES.map((name) => theOne('Deployment', `shop-${name}`, manifests))) {
      for (const line of [
        'runAsNonRoot: true',
        'readOnlyRootFilesystem: true',
        'allowPrivilegeEscalation: false',
        'automountServiceAccountToken: false',
        'maxUnavailable: 0',
        'startupProbe:',
        'livenessProbe:',
        'readinessProbe:',
        'name: SMSPAY_MODE, value: "production"',
      ]) {
        expect(deployment).toContain(line);
      }
    }
  });

  it('gives each service its own NATS credential and only the keys it reads', () => {
    const { manifests } = helm('template', ...PRODUCTION);
    const secretsOf = (name: string) =>
      [
        ...theOne('Deployment', `shop-${name}`, manifests).matchAll(/secret(?:Name: |: { (?:secretName|name): )"?(shop-[\w-]+)/g),
      ].map(([, secret]) => secret);
    expect(Object.fromEntries(SERVICES.map((name) => [name, secretsOf(name)]))).toEqual({
      'sms-gateway': ['shop-nats-sms-gateway', 'shop-nats-tls', 'shop-data-keys'],
      transactions: ['shop-nats-transactions', 'shop-nats-tls', 'shop-data-keys', 'shop-code-key'],
      wallet: ['shop-nats-wallet', 'shop-nats-tls', 'shop-data-keys', 'shop-ledger-key', 'shop-pin-pepper'],
      notifications: ['shop-nats-notifications', 'shop-nats-tls', 'shop-data-keys'],
    });
  });

  it.each([
    ['production', PRODUCTION],
    ['development', DEV],
  ] as const)('has a NATS credential made for each that runs in %s, and for nobody else', (mode, values) => {
    const { manifests } = helm('template', ...values);
    expect(theOne('Job', 'shop-secrets', manifests)).toContain(`{ name: SMSPAY_MODE, value: "${mode}" }`);
    const secrets = namesIn(theOne('Role', 'shop-secrets', manifests), /"shop-nats-([\w-]+)"/g);
    expect(new Set(secrets)).toEqual(new Set([...askersIn(mode), 'ca', 'tls', 'config']));
  });

  it('rolls NATS when whom it knows is changed by the mode', () => {
    const checksumOf = (values: readonly string[]) =>
      /checksum\/config: (\w+)/.exec(theOne('StatefulSet', 'shop-nats', helm('template', ...values).manifests))?.[1];
    expect(checksumOf(DEV)).toMatch(/^\w{64}$/);
    expect(checksumOf(DEV)).not.toBe(checksumOf(PRODUCTION));
  });

  it('mounts the key of the CA nowhere', () => {
    const { manifests } = helm('template', ...DEV);
    expect(manifests.filter((manifest) => manifest.includes('ca.key'))).toEqual([]);
    const naming = manifests
      .filter((manifest) => manifest.includes('shop-nats-ca'))
      .map((manifest) => /^kind: (.*)$/m.exec(manifest)?.[1]);
    expect(naming).toEqual(['Role']); // of the Job that makes it
  });

  it('renders no Secret, and takes no password in a URI', () => {
    const { manifests } = helm('template', ...PRODUCTION);
    expect(manifests.filter((manifest) => manifest.includes('\nkind: Secret\n'))).toEqual([]);
    const { refused } = helm('template', ...PRODUCTION, ...set('mongodb.uri=mongodb://ada:secret@host/\\{database\\}'));
    expect(refused).toContain("at '/mongodb/uri'");
  });

  it('takes existing key Secrets in the place of its own', () => {
    const { manifests } = helm('template', ...PRODUCTION, ...set('keys.ledger-key.existingSecret=our-ledger-key'));
    expect(theOne('Deployment', 'shop-wallet', manifests)).toContain('secretName: "our-ledger-key"');
    expect(theOne('Job', 'shop-secrets', manifests)).toContain('value: "shop-code-key,shop-data-keys,shop-pin-pepper"');
  });

  it('brings a MongoDB where none is given, whose users are made from its Secrets and which only those with a database reach', () => {
    const { manifests } = helm('template', ...WITHOUT_MONGODB);
    const database = theOne('StatefulSet', 'shop-mongodb', manifests);
    expect(database).toContain('image: mongo:8.0');
    expect(database).toContain('exec mongod --replSet rs0 --keyFile');
    expect(database).toContain('name: shop-mongodb-admin, key: uri');
    expect(theOne('Deployment', 'shop-wallet', manifests)).toContain('secretKeyRef: { name: "shop-mongodb", key: wallet }');
    expect(theOne('Job', 'shop-secrets', manifests)).toContain('\\"sms-gateway\\":\\"smspay_sms_gateway\\"');
    expect(theOne('Role', 'shop-secrets', manifests)).toContain('"shop-mongodb","shop-mongodb-admin"');
    const policy = theOne('NetworkPolicy', 'shop-mongodb', manifests);
    expect(namesIn(policy, /"app.kubernetes.io\/component":"([\w-]+)"/g)).toEqual([
      'admin',
      'sms-gateway',
      'transactions',
      'verify',
      'wallet',
    ]);
    expect(policy).not.toContain('egress:');
  });

  it("leaves MongoDB to its operator: three members, a user a service, and the operator's own URIs", () => {
    const { manifests } = helm('template', ...WITHOUT_MONGODB, ...set('mongodb.operator.enabled=true'));
    expect(manifests.join()).not.toContain('image: mongo:');
    const database = theOne('MongoDBCommunity', 'shop-mongodb', manifests);
    expect(database).toContain('members: 3');
    expect(namesIn(database, /roles: \[{ name: readWrite, db: (\w+) }\]/g)).toEqual(DATABASES);
    expect(theOne('Deployment', 'shop-wallet', manifests)).toContain(
      'secretKeyRef: { name: shop-mongodb-wallet, key: connectionString.standard }',
    );
    expect(theOne('Role', 'shop-secrets', manifests)).toContain('"shop-mongodb-passwords"');
  });

  it('puts the name of each database into the one URI', () => {
    const { manifests } = helm(
      'template',
      ...WITHOUT_MONGODB,
      ...set('mongodb.uri=mongodb://db.example.com/\\{database\\}?replicaSet=rs0'),
    );
    // The wallet's twice: admin looks into it too.
    expect(new Set(namesIn(manifests.join(), /mongodb:\/\/db.example.com\/(\w+)\?replicaSet=rs0/g))).toEqual(new Set(DATABASES));
    expect(manifests.join()).not.toContain('shop-mongodb');
  });

  it('lets only the gateway be reached from outside, and denies the rest', () => {
    const { manifests } = helm('template', ...PRODUCTION);
    const open = ofKind('NetworkPolicy', manifests).filter((policy) => policy.includes('ingress: [{ ports:'));
    expect(open).toEqual([theOne('NetworkPolicy', 'shop-sms-gateway', manifests)]);
    expect(theOne('NetworkPolicy', 'shop-default-deny', manifests)).toMatch(/policyTypes: \[Ingress, Egress\]\n$/);
  });

  it('lets Prometheus in where it is named, and has its alerts link to the runbooks', () => {
    const monitored = set('monitoring.namespace=watchers', 'monitoring.podMonitor.enabled=true', 'monitoring.rules.enabled=true');
    const { manifests } = helm(
      'template',
      ...PRODUCTION,
      ...monitored,
      ...set('monitoring.rules.runbooks=https://wiki.example.com/pay'),
    );
    for (const name of SERVICES.slice(1))
      expect(theOne('NetworkPolicy', `shop-${name}`, manifests)).toContain('{ kubernetes.io/metadata.name: watchers }');
    expect(theOne('PodMonitor', 'shop', manifests)).toContain(JSON.stringify(SERVICES.toSorted()));
    const rules = theOne('PrometheusRule', 'shop', manifests);
    expect(rules).toContain('runbook_url: https://wiki.example.com/pay#smspaydeadletters');
    expect(rules).toContain("summary: '{{ $value }} dead letters in the {{ $labels.what }}'");
  });

  it('sends traces to a collector, and lets them out', () => {
    const { manifests } = helm('template', ...PRODUCTION, ...set('otlp.endpoint=http://collector.tracing:4318'));
    for (const name of SERVICES) {
      expect(theOne('Deployment', `shop-${name}`, manifests)).toContain('value: "http://collector.tracing:4318"');
      expect(theOne('NetworkPolicy', `shop-${name}`, manifests)).toContain('{ ports: [{ port: 4318 }] }');
    }
  });

  it('routes /sms and nothing else', () => {
    const { manifests } = helm('template', ...PRODUCTION, ...set('ingress.enabled=true'));
    const ingress = theOne('Ingress', 'shop', manifests);
    expect(ingress).toContain('host: pay.example.com');
    expect([...ingress.matchAll(/path: (.*)/g)].map(([, path]) => path)).toEqual(['/sms']);
  });

  it('routes the same by the Gateway API', () => {
    const { manifests } = helm(
      'template',
      ...PRODUCTION,
      ...set('httpRoute.enabled=true', 'httpRoute.parentRefs[0].name=public'),
    );
    const route = theOne('HTTPRoute', 'shop', manifests);
    expect(route).toContain('hostnames: [pay.example.com]');
    expect([...route.matchAll(/path: (.*?) }/g)].map(([, path]) => path)).toEqual(['{ type: PathPrefix, value: /sms']);
    expect(manifests.filter((manifest) => manifest.includes('kind: Ingress'))).toEqual([]);
  });

  it.each([
    ['', undefined],
    ['ingress.enabled=true', 'https://pay.example.com'],
    ['httpRoute.enabled=true,httpRoute.parentRefs[0].name=public', 'https://pay.example.com'],
  ])('tests publicUrl where something serves it: %s', (value, url) => {
    const { manifests } = helm('template', ...PRODUCTION, ...set(value));
    expect(theOne('Pod', 'shop-test', manifests).match(/name: PUBLIC_URL, value: "(.*?)"/)?.[1]).toBe(url);
  });

  it('gives operators a pod that serves nothing, with a credential of its own', () => {
    const { manifests } = helm('template', ...PRODUCTION, ...set('defaults.autoscaling.enabled=true'));
    const admin = theOne('Deployment', 'shop-admin', manifests);
    for (const line of ['replicas: 1', 'dist/tools/admin/src/wait.js', 'shop-nats-admin', 'readOnlyRootFilesystem: true'])
      expect(admin).toContain(line);
    expect(admin).not.toMatch(/Probe:|ports:|PORT/);
    expect(ofKind('Service', manifests).join()).not.toContain('shop-admin');
    expect(theOne('NetworkPolicy', 'shop-admin', manifests)).not.toContain('ingress:');
    expect(helm('template', ...PRODUCTION, ...set('admin.service.replicas=2')).refused).toContain('got 2, want 1');
  });

  it('verifies the ledger each night, with the heads of its chains on a claim of their own', () => {
    const { manifests } = helm('template', ...PRODUCTION);
    const verify = theOne('CronJob', 'shop-verify', manifests);
    for (const line of [
      'timeZone: "Africa/Nairobi"',
      'concurrencyPolicy: Forbid',
      'args: ["verify","--heads","/heads/heads"]',
      'claimName: "shop-heads"',
      'secretName: "shop-ledger-key"',
    ])
      expect(verify).toContain(line);
    expect(verify).not.toMatch(/nats|NATS|Probe:/);
    expect(theOne('NetworkPolicy', 'shop-verify', manifests)).not.toMatch(/ingress:|4222/);
    // A hook's is left alone by an uninstall, and waited for by nobody.
    expect(theOne('PersistentVolumeClaim', 'shop-heads', manifests)).toContain('helm.sh/hook: pre-install,pre-upgrade');
    expect(manifests.join()).not.toContain('name: shop-backup');
  });

  it('backs up by a login that reads all databases, and restores by hand alone', () => {
    const { manifests } = helm('template', ...PRODUCTION, ...set('backup.enabled=true', 'backup.existingClaim=our-bucket'));
    const [backup, restore] = ['shop-backup', 'shop-restore'].map((name) => theOne('CronJob', name, manifests));
    expect(backup).toContain('"--databases","smspay_sms_gateway","smspay_transactions","smspay_wallet"]');
    expect(backup).not.toContain('suspend');
    expect(restore).toContain('suspend: true');
    for (const job of [backup, restore]) {
      expect(job).toContain('secretKeyRef: { name: "our-mongodb", key: backup }');
      expect(job).toContain('claimName: "our-bucket"');
      expect(job).not.toMatch(/shop-(\w+-key|data-keys)/);
    }
    expect(manifests.join()).not.toContain('name: shop-backups');
  });

  it('puts every pod where the values say', () => {
    const placed = set(
      'image.pullSecrets[0]=our-registry',
      'defaults.priorityClassName=payments',
      'defaults.nodeSelector.pool=payments',
      'defaults.tolerations[0].key=payments',
    );
    const { manifests } = helm('template', ...PRODUCTION, ...placed);
    const withPods = manifests.filter((manifest) => manifest.includes('containers:'));
    expect(withPods.length).toBeGreaterThan(SERVICES.length);
    for (const manifest of withPods) {
      for (const line of ['- name: "our-registry"', 'priorityClassName: "payments"', 'pool: payments', '- key: payments']) {
        expect(manifest).toContain(line);
      }
    }
  });

  it('gives the pods what the values say of them', () => {
    const { manifests } = helm(
      'template',
      ...PRODUCTION,
      ...set(
        'services.wallet.env.LOG_LEVEL=debug',
        'services.wallet.podLabels.team=money',
        'services.wallet.podAnnotations.note=x',
        'serviceAccount.annotations.of=ours',
        'secretProviderClass=our-vault',
      ),
    );
    const wallet = theOne('Deployment', 'shop-wallet', manifests);
    for (const line of [
      '{ name: LOG_LEVEL, value: "debug" }',
      '        team: money\n',
      '        note: x\n',
      'secretProviderClass: "our-vault"',
    ]) {
      expect(wallet).toContain(line);
    }
    expect(theOne('ServiceAccount', 'shop', manifests)).toContain('of: ours');
  });

  it('stops a service with its autoscaler', () => {
    const { manifests } = helm(
      'template',
      ...PRODUCTION,
      ...set('services.wallet.autoscaling.enabled=true', 'services.wallet.replicas=0'),
    );
    expect(theOne('Deployment', 'shop-wallet', manifests)).toContain('\n  replicas: 0\n');
    expect(manifests.filter((manifest) => manifest.includes('kind: HorizontalPodAutoscaler'))).toEqual([]);
  });

  it('names on Azure the Secrets that the example brings there, with the keys that are read', () => {
    const files = ['-f', `${CHART}/values-production.yaml`, '-f', `${CHART}/values-azure.yaml`];
    const { manifests } = helm(
      'template',
      ...files,
      ...set('publicUrl=https://pay.example.com', `twilio.accountSid=AC${'1'.repeat(32)}`),
    );
    const brought: { spec: { secretObjects: { secretName: string; data: { key: string }[] }[] } } = parse(
      readFileSync(`${CHART}/examples/secrets-store-csi.yaml`, 'utf8'),
    );
    const rendered = manifests.join();
    const variables = rendered.matchAll(/secretKeyRef: { name: "?(smspay-[\w-]+)"?, key: ([\w-]+) }/g);
    const keyFiles = rendered.matchAll(/secretName: "(smspay-[\w-]+)"/g);
    const read = [...variables, ...keyFiles].map(([, secret, key = 'keys.json']) => `${secret}/${key}`);
    expect(new Set(read)).toEqual(
      new Set(brought.spec.secretObjects.flatMap(({ secretName, data }) => data.map(({ key }) => `${secretName}/${key}`))),
    );
  });

  it('leaves the number of pods to the autoscaler where there is one', () => {
    const { manifests } = helm('template', ...PRODUCTION, ...set('services.wallet.autoscaling.enabled=true'));
    expect(ofKind('HorizontalPodAutoscaler', manifests)).toHaveLength(1);
    expect(theOne('Deployment', 'shop-wallet', manifests)).not.toContain('replicas:');
    expect(theOne('Deployment', 'shop-transactions', manifests)).toContain('\n  replicas: 2\n');
  });

  it('scales by the age of the oldest SMS with KEDA', () => {
    const { manifests } = helm(
      'template',
      ...PRODUCTION,
      ...set(`${KEDA}.enabled=true`, `${KEDA}.serverAddress=http://prometheus:9090`),
    );
    const scaled = theOne('ScaledObject', 'shop-wallet', manifests);
    expect(scaled).toContain('query: max(smspay_inbox_oldest_seconds{namespace="default"})');
    expect(theOne('Deployment', 'shop-wallet', manifests)).not.toContain('replicas:');
    expect(manifests.filter((manifest) => manifest.includes('kind: HorizontalPodAutoscaler'))).toEqual([]);
  });

  it('starts a service again when its code changes only under skaffold dev, and no other pod', () => {
    const commands = (...values: string[]) =>
      namesIn(helm('template', ...DEV, ...values).manifests.join(), /node, --watch, dist\/(\S+)\]/g);
    expect(commands()).toEqual([]);
    expect(commands('--set', 'image.watch=true')).toEqual([
      'apps/notifications/src/main.js',
      'tools/simulator/src/main.js',
      'apps/sms-gateway/src/main.js',
      'apps/transactions/src/main.js',
      'apps/wallet/src/main.js',
    ]);
  });

  it('uses a NATS that is given instead of its own', () => {
    const nats = set('nats.url=nats://nats.example.com:4222', 'nats.existingSecret=our-seeds');
    const { manifests } = helm('template', ...PRODUCTION, ...nats);
    expect(manifests.filter((manifest) => manifest.includes('kind: StatefulSet'))).toEqual([]);
    const wallet = theOne('Deployment', 'shop-wallet', manifests);
    expect(wallet).toContain('secret: { name: "our-seeds", items: [{ key: wallet, path: seed }] }');
    expect(wallet).toContain('secret: { name: "our-seeds", items: [{ key: ca.crt, path: ca.crt }] }');
  });

  it.each([
    ['publicURL=https://pay.example.com', "additional properties 'publicURL' not allowed"],
    ['services.walet.replicas=3', "additional properties 'walet' not allowed"],
    ['services.wallet.replica=3', "additional properties 'replica' not allowed"],
    ['defaults.resource.limits.memory=1Gi', "additional properties 'resource' not allowed"],
    ['twilio.exisitingSecret=x', "additional properties 'exisitingSecret' not allowed"],
    ['nats.replica=3', "additional properties 'replica' not allowed"],
    ['keys.datakeys.existingSecret=x', "additional properties 'datakeys' not allowed"],
    ['simulator.enable=true', "additional properties 'enable' not allowed"],
    ['monitoring.rules.enable=true', "additional properties 'enable' not allowed"],
    ['otlp.endpoint=http://collector', "at '/otlp/endpoint'"],
    ['ingress.class=nginx', "additional properties 'class' not allowed"],
    ['httpRoute.parentRef[0].name=x', "additional properties 'parentRef' not allowed"],
    ['defaults.nodeSelectors.pool=x', "additional properties 'nodeSelectors' not allowed"],
    ['defaults.autoscaling.keda.enable=true', "additional properties 'enable' not allowed"],
    ['serviceAccount.annotation.x=y', "additional properties 'annotation' not allowed"],
    ['networkPolicy.enabled=yes', "at '/networkPolicy/enabled': got string, want boolean"],
  ])('refuses the typo %s', (typo, message) => {
    expect(helm('template', ...PRODUCTION, ...set(typo)).refused).toContain(message);
  });

  it.each([
    ['simulator.enabled=true', 'simulator.enabled: must be false where publicUrl is set'],
    ['ingress.enabled=true,httpRoute.enabled=true', 'httpRoute.enabled: must be false where ingress.enabled is true'],
    ['httpRoute.enabled=true', 'httpRoute.parentRefs: must name the Gateway, got none'],
    [`${KEDA}.enabled=true`, 'wallet: autoscaling.keda.serverAddress: must be the URL of Prometheus, got none'],
    [
      `services.wallet.autoscaling.enabled=true,${KEDA}.enabled=true`,
      'wallet: autoscaling.enabled and autoscaling.keda.enabled are both true',
    ],
    [
      'services.wallet.autoscaling.enabled=true,services.wallet.replicas=9',
      'wallet: autoscaling.maxReplicas: must be at least replicas (9), got 8',
    ],
    ['monitoring.podMonitor.enabled=true', 'monitoring.namespace: must name the namespace of Prometheus'],
    ['publicUrl=', 'publicUrl: must begin with https://, got ""'],
    ['twilio.existingSecret=', 'twilio.existingSecret: must name a Secret'],
    ['mongodb.operator.enabled=true', 'mongodb: at most one of uri, existingSecret and operator.enabled may be set'],
    ['nats.url=nats://nats:4222', 'nats.existingSecret: must name a Secret'],
  ])('refuses what cannot work: %s', (value, message) => {
    expect(helm('template', ...PRODUCTION, ...set(value)).refused).toContain(message);
  });

  it.each(['values-production.yaml', 'values-azure.yaml'])('refuses the simulator beside %s', (file) => {
    const { refused } = helm('template', '-f', `${CHART}/${file}`, ...set('simulator.enabled=true'));
    expect(refused).toContain('simulator.enabled: must be false where');
  });
});
