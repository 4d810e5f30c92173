import { CHART, NAME, set } from './release.ts';
import { answers, pause, until } from './run.ts';
import type { Scenario } from './suite.ts';
import { Town } from './town.ts';

const PAYERS = 16;
const UP_MS = 180_000;
const DOWN_MS = 240_000;
/** The chart leaves Kubernetes' own five minutes: too long to wait for here. */
const STABILIZATION_SECONDS = 15;

interface Autoscaler {
  status: { currentMetrics?: { resource?: { current: { averageUtilization?: number } } }[] };
}

export const autoscaler: Scenario = {
  name: 'autoscaler',
  title: 'The autoscaler',
  async run(suite) {
    if (!(await answers('kubectl', 'top', 'nodes')))
      return suite.skip('the gateway is scaled up under load and down after', 'the cluster has no metrics-server');
    const values = set({
      'env.OTEL_EXPORTER_OTLP_ENDPOINT': '',
      'services.sms-gateway.autoscaling.enabled': true,
      'services.sms-gateway.autoscaling.maxReplicas': 4,
      // Of a slow machine an idle gateway needs more than half of 50m, and is never scaled down to one pod.
      'services.sms-gateway.resources.requests.cpu': '100m',
    });
    const release = await suite.release('autoscaler', ['-f', `${CHART}/values-dev.yaml`, ...values]);
    await release.install();
    const town = await Town.open(release);
    const count = async () => (await release.pods('sms-gateway')).length;
    const behavior = { scaleDown: { stabilizationWindowSeconds: STABILIZATION_SECONDS } };
    const patch = JSON.stringify({ spec: { behavior } });
    await release.kubectl('patch', `horizontalpodautoscaler/${NAME}-sms-gateway`, '--patch', patch);
    const utilization = async () => {
      const { status } = await release.get<Autoscaler>('horizontalpodautoscaler', `${NAME}-sms-gateway`);
      return status.currentMetrics?.[0]?.resource?.current.averageUtilization;
    };
    let idle: string | undefined;
    await until(
      async () => {
        const [used, pods] = [await utilization(), await count()];
        idle = `${pods} pods, at ${used} % of the requested CPU`;
        return used !== undefined && pods === 1;
      },
      () => `the autoscaler to leave one idle pod; there are ${idle}`,
      UP_MS,
    );
    await suite.check(`the gateway is scaled up while ${PAYERS} people pay as fast as they can`, async () => {
      let [highest, seconds] = [0, 0];
      await town.pays({ payers: PAYERS }, async () => {
        const began = Date.now();
        const grows = async () => {
          highest = Math.max(highest, (await utilization()) ?? 0);
          return (await count()) > 1;
        };
        await until(grows, () => `more than 1 pod; ${highest} % of the requested CPU are used`, UP_MS);
        seconds = (Date.now() - began) / 1_000;
        await pause(20_000);
      });
      return `1 → ${await count()} pods, the first after ${seconds.toFixed(0)} s, at ${highest} % of the requested CPU`;
    });
    await suite.check('and down after', async () => {
      const began = Date.now();
      await until(
        async () => (await count()) === 1,
        () => '1 pod',
        DOWN_MS,
      );
      return `after ${((Date.now() - began) / 1_000).toFixed(0)} s, with a window of ${STABILIZATION_SECONDS} s`;
    });
    await town.check();
    town.close();
  },
};
