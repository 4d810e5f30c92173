import { NAME, SERVICES } from './release.ts';
import { pause } from './run.ts';
import type { Scenario } from './suite.ts';
import { mustHaveAnswered, saw } from './town.ts';

export const rolled: Scenario = {
  name: 'rolled',
  title: 'Every Deployment rolled and scaled 2→4→2, at half of the sustained rate (F20)',
  async run(suite) {
    const town = await suite.town();
    const { release } = town;
    await suite.check('what this machine sustains', async () => `${(await town.sustained()).toFixed(1)} payments a second`);
    for (const service of SERVICES) {
      await suite.check(`${service} rolled: each webhook answered 2xx, nothing lost, nothing double`, async () =>
        saw(
          mustHaveAnswered(
            await town.underHalfLoad(async () => {
              await release.kubectl('rollout', 'restart', `deployment/${NAME}-${service}`);
              await release.settled();
            }),
          ),
        ),
      );
    }
    await suite.check('each scaled to 4 and back to 2: the same', async () =>
      saw(
        mustHaveAnswered(
          await town.underHalfLoad(async () => {
            for (const replicas of [4, 2]) {
              for (const service of SERVICES)
                await release.kubectl('scale', `deployment/${NAME}-${service}`, `--replicas=${replicas}`);
              for (const service of SERVICES) await release.ready(service, replicas);
              await pause(5_000);
            }
          }),
        ),
      ),
    );
  },
};
