import { readdirSync } from 'node:fs';
import { CHART, NAME, set } from './release.ts';
import { answers, helm, kubectl, run } from './run.ts';
import type { Scenario } from './suite.ts';

/** What a release with a real Twilio must be given. */
const REAL = set({
  publicUrl: 'https://pay.example.com',
  'twilio.accountSid': `AC${'1'.repeat(32)}`,
  'twilio.existingSecret': 'our-twilio',
});
/** Each as somebody mistypes it, and what the schema says. */
const TYPOS: Record<string, string> = {
  'publicURL=https://pay.example.com': "additional properties 'publicURL' not allowed",
  'services.walet.replicas=3': "additional properties 'walet' not allowed",
  'services.wallet.replica=3': "additional properties 'replica' not allowed",
  'defaults.resource.limits.memory=1Gi': "additional properties 'resource' not allowed",
  'twilio.exisitingSecret=x': "additional properties 'exisitingSecret' not allowed",
  'nats.replica=3': "additional properties 'replica' not allowed",
  'mongodb.bundled.storage.sise=1Gi': "additional properties 'sise' not allowed",
  'simulator.enable=true': "additional properties 'enable' not allowed",
  'ingress.class=nginx': "additional properties 'class' not allowed",
  'networkPolicy.enabled=yes': "at '/networkPolicy/enabled': got string, want boolean",
};
/** Kinds of operators: npm's schemas of them are checked by helm/smspay/schemas.spec.ts. */
const OPERATORS =
  'PodMonitor,PrometheusRule,HTTPRoute,ScaledObject,MongoDBCommunity,SecretProviderClass,Certificate,ExternalSecret';

/** `-f …` of each values file; some are laid over another. */
const FILES = readdirSync(CHART)
  .filter((name) => /^values.*\.yaml$/.test(name))
  .map((name) => ({
    name,
    options: [
      ...(name === 'values-azure.yaml' ? ['-f', `${CHART}/values-production.yaml`] : []),
      ...(name === 'values.yaml' ? [] : ['-f', `${CHART}/${name}`]),
      ...(name === 'values-dev.yaml' ? [] : REAL),
    ],
  }));

export const chart: Scenario = {
  name: 'chart',
  title: 'The chart as it stands',
  async run(suite) {
    for (const { name, options } of FILES) {
      await suite.check(
        `helm lint --strict passes with ${name}`,
        async () => void (await helm(['lint', '--strict', CHART, ...options])),
      );
    }
    const schemas = process.env['KUBECONFORM_SCHEMAS'];
    const location = schemas ? ['-schema-location', schemas] : [];
    // Some helms take an old version for that of the cluster unless they ask it.
    const { serverVersion } = JSON.parse(await kubectl(['version', '--output', 'json'])) as {
      serverVersion: { gitVersion: string };
    };
    const version = serverVersion.gitVersion.replace(/^v|[-+].*$/g, '');
    if (await answers('kubeconform', '-v')) {
      for (const { name, options } of FILES) {
        await suite.check(`kubeconform -strict passes with ${name}`, async () => {
          const manifests = await helm(['template', NAME, CHART, '--kube-version', version, ...options]);
          return (
            await run(
              'kubeconform',
              ['-strict', '-summary', '-kubernetes-version', version, '-skip', OPERATORS, ...location, '-'],
              { input: manifests },
            )
          ).trim();
        });
      }
    } else suite.skip('kubeconform -strict passes with every values file', 'there is no kubeconform on PATH');
    for (const [typo, message] of Object.entries(TYPOS)) {
      await suite.check(`the typo ${typo} is refused`, async () => {
        const said = await helm(['template', NAME, CHART, ...REAL, '--set', typo]).then(
          () => 'it was taken',
          (error: Error) => error.message,
        );
        if (!said.includes(message)) throw new Error(said);
        return message;
      });
    }
  },
};
