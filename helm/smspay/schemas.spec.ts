import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

/** What the chart renders and its examples, by the schemas of their kinds: operators may not be there to ask. */
const CHART = import.meta.dirname;
const values = (...files: string[]) => files.flatMap((file) => ['-f', join(CHART, file)]);
const set = (...options: string[]) => options.flatMap((option) => ['--set', option]);
const REAL = set(
  'publicUrl=https://pay.example.com',
  `twilio.accountSid=AC${'1'.repeat(32)}`,
  'twilio.existingSecret=our-twilio',
);
const KEDA = 'services.wallet.autoscaling.keda';

const RENDERED: Record<string, string[]> = {
  'values.yaml': REAL,
  'values-dev.yaml': values('values-dev.yaml'),
  'values-production.yaml': [...values('values-production.yaml'), ...REAL],
  'values-azure.yaml': [...values('values-production.yaml', 'values-azure.yaml'), ...REAL],
  'monitoring and traces': [
    ...REAL,
    ...set('mongodb.existingSecret=our-mongodb', 'monitoring.namespace=monitoring', 'monitoring.podMonitor.enabled=true'),
    ...set('monitoring.rules.enabled=true', 'monitoring.dashboards.enabled=true', 'otlp.endpoint=http://collector.tracing:4318'),
  ],
  'the Gateway API, KEDA and the operator of MongoDB': [
    ...REAL,
    ...set('mongodb.operator.enabled=true', 'httpRoute.enabled=true', 'httpRoute.parentRefs[0].name=public'),
    ...set(`${KEDA}.enabled=true`, `${KEDA}.serverAddress=http://prometheus:9090`),
  ],
};
const EXAMPLES = readdirSync(join(CHART, 'examples'));

/** Who knows the kinds of an API group that is not Kubernetes' own. Azure's managed Prometheus took over those of its operator. */
const PACKAGES: Record<string, string> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'external-secrets.io': '@kubernetes-models/external-secrets',
};
/** No package has a schema of these: nothing but a cluster with their operator checks them. */
const WITHOUT_SCHEMA = new Set(['MongoDBCommunity', 'SecretProviderClass']);

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
}
const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;
const groupOf = ({ apiVersion }: Manifest) => apiVersion.split('/')[0] ?? '';
const modelOf = (manifest: Manifest) => `${PACKAGES[groupOf(manifest)] ?? 'kubernetes-models'}/${manifest.apiVersion}`;

function manifestsIn(yaml: string): Manifest[] {
  const documents = parseAllDocuments(yaml.replaceAll('azmonitoring.coreos.com', 'monitoring.coreos.com'));
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  return documents.flatMap((document): Manifest[] => document.toJS() ?? []).filter(({ kind }) => !WITHOUT_SCHEMA.has(kind));
}

function render(options: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('helm', ['template', 'shop', CHART, '--kube-version', '1.35.0', ...options], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** What the schemas refuse, by value. They let unknown fields pass. An unknown kind throws. */
async function refusedValues(manifests: readonly Manifest[]): Promise<string[]> {
  const refused: string[] = [];
  for (const manifest of manifests) {
    const models: Record<string, new (data: Manifest) => { validate(): void }> = await import(modelOf(manifest));
    const Kind = models[manifest.kind];
    if (!Kind) throw new Error(`${nameOf(manifest)}: ${modelOf(manifest)} has no such kind`);
    try {
      new Kind(manifest).validate();
    } catch (error) {
      refused.push(`${nameOf(manifest)}: ${(error as Error).message}`);
    }
  }
  return refused;
}

/** What the types of the same packages refuse: unknown fields too, as TypeScript looks for them in a literal. */
function refusedFields(manifests: readonly Manifest[]): string[] {
  const file = join(CHART, 'rendered.ts');
  const source = manifests
    .map(
      (manifest) =>
        `({ ${JSON.stringify(nameOf(manifest))}: ${JSON.stringify(manifest)} satisfies import('${modelOf(manifest)}').I${manifest.kind} });`,
    )
    .join('\n');
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2024) : read(name, ...rest);
  const lines = source.split('\n');
  return ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)).map(({ file: where, start = 0, messageText }) => {
    const line = where ? ts.getLineAndCharacterOfPosition(where, start).line : 0;
    return `${lines[line]?.match(/"(.*?)"/)?.[1]}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

const hasHelm = spawnSync('helm', ['version']).status === 0;
const hasKubeconform = spawnSync('kubeconform', ['-v']).status === 0;
if (!hasHelm) process.stderr.write('no helm on PATH: the schemas see none of what the chart renders\n');
if (!hasKubeconform) process.stderr.write('no kubeconform on PATH: its tests are skipped\n');

(hasHelm ? describe : describe.skip)('what the chart renders', () => {
  it('is looked at with every file of values', () => {
    const files = readdirSync(CHART).filter((name) => /^values-.*\.yaml$/.test(name));
    expect(Object.values(RENDERED).flat()).toEqual(expect.arrayContaining(files.map((name) => join(CHART, name))));
  });

  it.each(Object.entries(RENDERED))('is what its kinds take, with %s', async (_, options) => {
    const manifests = manifestsIn(render(options));
    expect(manifests.length).toBeGreaterThan(10);
    expect(await refusedValues(manifests)).toEqual([]);
    expect(refusedFields(manifests)).toEqual([]);
  });

  (hasKubeconform ? it : it.skip).each(Object.entries(RENDERED))('passes kubeconform, with %s', (_, options) => {
    const ours = manifestsIn(render(options)).filter((manifest) => !PACKAGES[groupOf(manifest)]);
    const schemas = process.env['KUBECONFORM_SCHEMAS'];
    const { status, stdout } = spawnSync(
      'kubeconform',
      ['-strict', '-summary', '-kubernetes-version', '1.35.4', ...(schemas ? ['-schema-location', schemas] : [])],
      { input: ours.map((manifest) => JSON.stringify(manifest)).join('\n---\n'), encoding: 'utf8' },
    );
    expect(stdout).toContain(`Summary: ${ours.length} resources found`);
    expect(stdout).toContain('Errors: 0');
    expect(status).toBe(0);
  });
});

it.each(EXAMPLES)('the example %s is what its kinds take', async (name) => {
  const manifests = manifestsIn(readFileSync(join(CHART, 'examples', name), 'utf8'));
  expect(await refusedValues(manifests)).toEqual([]);
  expect(refusedFields(manifests)).toEqual([]);
});

it('a wrong value, an unknown field and an unknown kind are refused', async () => {
  const scaled = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'wallet' } };
  const wrong = {
    ...scaled,
    spec: { scaleTargetRef: { name: 'wallet' }, triggers: [{ type: 'prometheus', metadata: { threshold: 5 } }] },
  };
  expect(await refusedValues([wrong])).toEqual(['ScaledObject wallet: data/spec/triggers/0/metadata/threshold must be string']);
  const unknown = { ...scaled, spec: { scaleTargetRef: { name: 'wallet' }, triggers: [], minReplicas: 2 } };
  expect(refusedFields([unknown])).toEqual([expect.stringMatching(/^ScaledObject wallet: .*minReplicas.* does not exist/)]);
  await expect(refusedValues([{ ...scaled, kind: 'ScaleObject' }])).rejects.toThrow('has no such kind');
});
