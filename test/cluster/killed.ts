import { NAME, type Release, SERVICES } from './release.ts';
import type { Scenario } from './suite.ts';
import { mustHaveAnswered, saw } from './town.ts';

const NATS_AWAY_MS = 60_000;
const BACKLOG_MS = 60_000;
const READY_MS = 60_000;
/** Until no connection goes to a pod any more whose process is gone. */
const NOTICED_MS = 10_000;

export const killed: Scenario = {
  name: 'killed',
  title: 'Each pod killed -9, all of NATS at once, at half of the sustained rate (F20, F3)',
  async run(suite) {
    const town = await suite.town();
    const { release } = town;
    const killedAt: number[] = [];
    const killsEach = (component: string) =>
      town.underHalfLoad(async () => {
        for (const pod of await release.pods(component)) {
          killedAt.push(Date.now());
          await suite.killer.kill(release, [pod]);
        }
      });
    await suite.check(
      'each pod of sms-gateway: only what was in flight in it, or was sent to it before the cluster knew, gets no answer; nothing lost, nothing double',
      async () => {
        const seen = await killsEach('sms-gateway');
        const others = seen.failed.filter(({ status, at, ms }) => {
          const endedAt = new Date(at).getTime() + ms;
          return status !== 0 || !killedAt.some((killed) => endedAt >= killed && endedAt < killed + NOTICED_MS);
        });
        mustHaveAnswered({ ...seen, failed: others });
        return saw(seen);
      },
    );
    for (const component of [...SERVICES.filter((service) => service !== 'sms-gateway'), 'nats']) {
      await suite.check(`each pod of ${component}: each webhook answered 2xx, nothing lost, nothing double`, async () =>
        saw(mustHaveAnswered(await killsEach(component))),
      );
    }
    await suite.check('all of NATS at once: the same', async () =>
      saw(
        mustHaveAnswered(await town.underHalfLoad(async () => suite.killer.kill(release, await release.pods('nats')), READY_MS)),
      ),
    );
  },
};

export const natsAway: Scenario = {
  name: 'nats-away',
  title: 'NATS away for 60 s, at half of the sustained rate (F14)',
  async run(suite) {
    const town = await suite.town();
    const { release } = town;
    await suite.check('each webhook answered 2xx meanwhile, and the backlog gone within 60 s of its return', async () => {
      let backlog = '';
      const away = async () => {
        await scaleNats(release, 0);
        await new Promise((resolve) => setTimeout(resolve, NATS_AWAY_MS));
        await scaleNats(release, 3);
        backlog = await town.backlogGone(BACKLOG_MS);
      };
      const seen = mustHaveAnswered(await town.underHalfLoad(away, NATS_AWAY_MS + READY_MS + BACKLOG_MS));
      return `${backlog}; ${saw(seen)}`;
    });
  },
};

export const databaseKilled: Scenario = {
  name: 'database',
  title: 'The database killed -9, at half of the sustained rate (F2)',
  async run(suite) {
    const town = await suite.town();
    const { release } = town;
    await suite.check(
      'webhooks fail while it is away, none is answered 2xx unrecorded, nothing lost, nothing double',
      async () => {
        const seen = await town.underHalfLoad(async () => {
          // After the second time the kubelet waits before it starts it again: long enough for webhooks to fail.
          for (let kills = 0; kills < 2; kills++) await suite.killer.kill(release, await release.pods('mongodb'));
        }, READY_MS);
        if (seen.failed.length === 0) throw new Error('no webhook failed: it was not away');
        return saw(seen);
      },
    );
  },
};

async function scaleNats(release: Release, replicas: number): Promise<void> {
  await release.kubectl('scale', `statefulset/${NAME}-nats`, `--replicas=${replicas}`);
  await release.ready('nats', replicas);
}
