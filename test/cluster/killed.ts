import { NAME, type Release, SERVICES } from './release.ts';
import type { Scenario } from './suite.ts';
import { mustHaveAnswered, saw, type Seen } from './town.ts';

const NATS_AWAY_MS = 60_000;
const BACKLOG_MS = 60_000;
const READY_MS = 60_000;

export const killed: Scenario = {
  name: 'killed',
  title: 'Each pod killed -9, all of NATS at once, at half of the sustained rate (F20, F3)',
  async run(suite) {
    const town = await suite.town();
    const { release } = town;
    const killsEach = (component: string) =>
      town.underHalfLoad(async () => {
        for (const pod of await release.pods(component)) await suite.killer.kill(release, [pod]);
      });
    await suite.check('each pod of sms-gateway: only what was in flight in it may fail; nothing lost, nothing double', async () =>
      saw(mustHaveAnsweredButInFlight(await killsEach('sms-gateway'))),
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
      let backlogMs = 0;
      const away = async () => {
        await scaleNats(release, 0);
        await new Promise((resolve) => setTimeout(resolve, NATS_AWAY_MS));
        await scaleNats(release, 3);
        backlogMs = await town.backlogGone(BACKLOG_MS);
      };
      const seen = mustHaveAnswered(await town.underHalfLoad(away, NATS_AWAY_MS + READY_MS + BACKLOG_MS));
      return `backlog gone after ${(backlogMs / 1_000).toFixed(1)} s; ${saw(seen)}`;
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
        const seen = await town.underHalfLoad(async () => suite.killer.kill(release, await release.pods('mongodb')), READY_MS);
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

/** A webhook without any answer was in flight in the gateway that was killed; an answer that is no 2xx is none of these. */
function mustHaveAnsweredButInFlight(seen: Seen): Seen {
  return { ...mustHaveAnswered({ ...seen, failed: seen.failed.filter(({ status }) => status !== 0) }), failed: seen.failed };
}
