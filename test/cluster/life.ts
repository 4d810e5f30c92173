import { CHART, NAME, set } from './release.ts';
import { until } from './run.ts';
import type { Scenario } from './suite.ts';
import { Town } from './town.ts';

const FIRST_PAYMENT_MS = 120_000;
/** Made by Kubernetes in every namespace, and what it tells of what was there. */
const KUBERNETES_OWN = /^(configmap\/kube-root-ca\.crt|serviceaccount\/default|event|podmetrics)/;

export const life: Scenario = {
  name: 'life',
  title: 'Installed, tested, upgraded, rolled back, uninstalled',
  async run(suite) {
    const dev = ['-f', `${CHART}/values-dev.yaml`];
    const release = await suite.release('life', dev);
    // Each with phones of its own: an upgrade rolls the simulator too, which forgets them.
    const pays = async () => {
      const town = await Town.open(release);
      await town.payOnce();
      await town.check();
      town.close();
    };

    await suite.check('from helm install with values-dev.yaml to the first payment in less than 120 s', async () => {
      const began = Date.now();
      await release.install();
      const installed = Date.now() - began;
      await pays();
      const all = Date.now() - began;
      if (all > FIRST_PAYMENT_MS) throw new Error(`it took ${all / 1000} s`);
      return `installed after ${(installed / 1000).toFixed(0)} s, both receipts after ${(all / 1000).toFixed(0)} s`;
    });
    await suite.check('helm test passes', async () => (await release.helm(['test', NAME])).match(/\d+ passed, 0 failed/)?.[0]);
    const logLevel = () => release.kubectl('exec', `deploy/${NAME}-wallet`, '--', 'node', '-p', 'process.env.LOG_LEVEL');
    await suite.check('helm upgrade with a changed value rolls the pods, and people pay', async () => {
      await release.upgrade(set({ 'env.LOG_LEVEL': 'debug' }));
      if ((await logLevel()).trim() !== 'debug') throw new Error(`LOG_LEVEL is ${await logLevel()}`);
      await pays();
    });
    await suite.check('helm rollback brings the old value back, and people pay', async () => {
      await release.helm(['rollback', NAME, '--wait']);
      await release.settled();
      if ((await logLevel()).trim() !== 'info') throw new Error(`LOG_LEVEL is ${await logLevel()}`);
      await pays();
    });
    await suite.check('helm uninstall leaves claims and secrets, nothing else', async () => {
      await release.helm(['uninstall', NAME, '--wait']);
      const kinds = (await release.kubectl('api-resources', '--verbs=list', '--namespaced', '--output=name')).trim().split('\n');
      let left: string[] = [];
      const isClean = async () => {
        const all = await release.kubectl('get', kinds.join(','), '--output=name', '--ignore-not-found');
        left = all
          .trim()
          .split('\n')
          .filter((name) => !KUBERNETES_OWN.test(name));
        return left.every((name) => /^(secret|persistentvolumeclaim)\//.test(name));
      };
      await until(isClean, () => `only claims and secrets to be left, but ${left.join(', ')}`, 60_000);
      return left.join(', ');
    });
    await suite.check('installed again, it is the same system: the claims and secrets fit', async () => {
      await release.install();
      await release.helm(['test', NAME]);
    });
  },
};
