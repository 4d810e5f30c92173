import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../tools/start/root.ts';
import { CHART, isReady, NAME, type Release, SERVICES, set } from './release.ts';
import { pause, run, until } from './run.ts';
import type { Scenario, Suite } from './suite.ts';
import { mustHaveAnswered, saw, Town } from './town.ts';

const BOTH_MS = 20_000;
/** Less than the ten minutes after which a Deployment counts as stuck. */
const NOT_YET_SECONDS = 500;

export const versions: Scenario = {
  name: 'versions',
  title: 'Version 0.1.0 and this one side by side, on a database that 0.1.0 filled, at half of the sustained rate (F20)',
  async run(suite) {
    const old = await oldImage(suite);
    // None of this version's services runs before the old ones have filled the database.
    const values = ['-f', `${CHART}/values-dev.yaml`, ...set({ 'defaults.replicas': 0, 'env.OTEL_EXPORTER_OTLP_ENDPOINT': '' })];
    const release = await suite.release('versions', values);
    await release.install();
    for (const service of SERVICES) {
      await setImage(release, service, old);
      // It does not know NATS_CA.
      await release.kubectl('set', 'env', `deployment/${NAME}-${service}`, 'NODE_EXTRA_CA_CERTS=/etc/smspay/nats/ca.crt');
      await release.kubectl('scale', `deployment/${NAME}-${service}`, '--replicas=2');
    }
    await release.settled();
    const town = await Town.open(release);
    try {
      await suite.check('what 0.1.0 sustains', async () => `${(await town.sustained()).toFixed(1)} payments a second`);
      await suite.check(
        'both at once, then this one alone: each webhook answered 2xx, nothing lost, nothing double',
        async () => {
          const seen = await town.underHalfLoad(async () => {
            // A new pod is not counted as there for some minutes, so no old one goes until that is taken back.
            for (const service of SERVICES) {
              await minReadySeconds(release, service, NOT_YET_SECONDS);
              await setImage(release, service, suite.image);
            }
            for (const service of SERVICES)
              await until(
                () => haveBoth(release, service, old),
                () => `both versions of ${service}`,
                120_000,
              );
            await pause(BOTH_MS);
            for (const service of SERVICES) await minReadySeconds(release, service, 0);
            await release.settled();
          });
          return saw(mustHaveAnswered(seen));
        },
      );
    } finally {
      town.close();
    }
  },
};

/** The image of the commit that CHANGELOG.md calls 0.1.0, built from its own sources. */
async function oldImage(suite: Suite): Promise<string> {
  const [, commit] = /^## 0\.1\.0\n\nCommit ([0-9a-f]{40})\./m.exec(await readFile(join(ROOT, 'CHANGELOG.md'), 'utf8')) ?? [];
  if (!commit) throw new Error('CHANGELOG.md names no commit for 0.1.0');
  const dir = await mkdtemp(join(tmpdir(), 'smspay-old-'));
  try {
    const tree = join(dir, 'tree');
    await run('git', ['-C', ROOT, 'worktree', 'add', '--detach', tree, commit]);
    const { repository, tag } = await suite.build(tree);
    return `${repository}:${tag}`;
  } finally {
    await rm(dir, { recursive: true, force: true });
    await run('git', ['-C', ROOT, 'worktree', 'prune'], { always: true });
  }
}

const setImage = (release: Release, service: string, image: string) =>
  release.kubectl('set', 'image', `deployment/${NAME}-${service}`, `${service}=${image}`);

const minReadySeconds = (release: Release, service: string, seconds: number) =>
  release.kubectl('patch', `deployment/${NAME}-${service}`, '--patch', JSON.stringify({ spec: { minReadySeconds: seconds } }));

async function haveBoth(release: Release, service: string, old: string): Promise<boolean> {
  const images = (await release.pods(service)).filter(isReady).map(({ spec }) => spec.containers[0]?.image);
  return images.includes(old) && images.some((image) => image !== old);
}
