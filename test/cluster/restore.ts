import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PhonesPage } from '../../tools/cluster-test/src/phones-page.ts';
import { CHART, NAME, type Release, set } from './release.ts';
import type { Scenario, Suite } from './suite.ts';
import { saw, Town } from './town.ts';

const KEYS = ['data-keys', 'code-key', 'ledger-key', 'pin-pepper'];
const PAYERS = 6;
const ANSWER_MS = 60_000;

export const restore: Scenario = {
  name: 'restore',
  title: 'A backup taken under load, restored where there are neither claims nor Secrets (F21)',
  async run(suite) {
    const values = ['-f', `${CHART}/values-dev.yaml`, ...set({ 'backup.enabled': true })];
    const before = await suite.release('before', values);
    await before.install();
    const town = await Town.open(before);
    const [backups, keys] = [await mkdtemp(join(tmpdir(), 'smspay-backups-')), new Map<string, string>()];
    let [madeBefore, madeAfter, name] = [0, 0, ''];
    try {
      await suite.check('the backup and the verification run while people pay', async () => {
        const seen = await town.pays({ payers: PAYERS }, async () => {
          await runJob(before, 'verify');
          madeBefore = town.payments;
          name = /^(\S+) is complete$/m.exec(await runJob(before, 'backup'))?.[1] ?? '';
          madeAfter = town.payments;
        });
        await town.check();
        for (const key of KEYS) keys.set(key, (await before.secret(`${NAME}-${key}`))['keys.json'] ?? '');
        await withClaim(suite, before, (pod) => before.kubectl('cp', `${pod}:/backups/${name}`, join(backups, name)));
        return `${saw(seen)}; ${madeBefore} payments before it began, ${madeAfter} when it ended`;
      });
    } finally {
      town.close();
    }
    await before.remove();

    const after = await suite.release('after', values);
    try {
      await suite.check('with the keys alone, it is restored while no service runs', async () => {
        for (const [key, json] of keys) {
          await after.kubectl('create', 'secret', 'generic', `${NAME}-${key}`, `--from-literal=keys.json=${json}`);
        }
        await after.install(set({ 'defaults.replicas': 0 }));
        await withClaim(suite, after, (pod) => after.kubectl('cp', join(backups, name), `${pod}:/backups/${name}`));
        const printed = await runJob(after, 'restore');
        return printed.match(/\S+\.transfers: \d+ documents/)?.[0];
      });
      await suite.check('the services go on from there: I1–I7, and each payment that was told of before the backup', async () => {
        await after.upgrade();
        const restored = await Town.open(after);
        try {
          await restored.check();
          const made = Number(await after.node(`deploy/${NAME}-admin`, COUNT_PAYMENTS));
          if (madeBefore === 0 || made < madeBefore || made > town.payments)
            throw new Error(`${made} payments are there, of ${madeBefore} before and ${town.payments} in all`);
          if (!(await runJob(after, 'verify')).endsWith('no problems\n')) throw new Error('verify found problems');
          await restored.payOnce();
          await restored.check();
          return `${made} payments are there`;
        } finally {
          restored.close();
        }
      });
      await suite.check('somebody who had a wallet has it', async () => {
        const number = (await after.node(`deploy/${NAME}-admin`, ANY_NUMBER)).trim();
        const { port } = await after.forward(`service/${NAME}-simulator`, 3000);
        const page = await PhonesPage.open(`http://127.0.0.1:${port}`);
        try {
          await page.addPhone(number);
          await page.insist(number, 'BAL', ANSWER_MS);
          return (await page.receives(number, /^Balance .*/, ANSWER_MS)).match[0];
        } finally {
          page.close();
        }
      });
      await suite.check(
        'a ledger that lost its newest transfer fails the verification, by the heads of the one before',
        async () => {
          await runJob(after, 'verify', 'verify-whole');
          await after.node(`deploy/${NAME}-admin`, LOSE_THE_NEWEST);
          const lost = await runJob(after, 'verify', 'verify-lost', 'failed');
          const problem = /PROBLEM (.*ends with seq.*)/.exec(lost)?.[1];
          if (!problem) throw new Error(lost);
          return problem;
        },
      );
      await suite.check('without these heads it begins anew, as after a restore in place', async () => {
        // A claim stays while a pod of a Job names it.
        await after.kubectl('delete', 'jobs', '--selector', 'app.kubernetes.io/component=verify');
        await after.kubectl('delete', 'pvc', `${NAME}-heads`);
        await after.upgrade();
        const anew = await runJob(after, 'verify', 'verify-anew');
        if (!anew.includes('the ends of 0 chains') || !anew.endsWith('no problems\n')) throw new Error(anew);
      });
    } finally {
      await rm(backups, { recursive: true });
    }
  },
};

/** In the admin pod, on the wallet's database. */
const inWallet = (answer: string) => `
  import mongoose from 'mongoose';
  const client = await new mongoose.mongo.MongoClient(process.env.MONGODB_URI).connect();
  console.log(${answer});
  await client.close();`;
const COUNT_PAYMENTS = inWallet(`await client.db().collection('transfers').countDocuments({ kind: 'payment' })`);
const ANY_NUMBER = inWallet(`(await client.db().collection('wallets').findOne({}, { sort: { at: 1 } })).number`);

const LOSE_THE_NEWEST = inWallet(`await client.db().collection('transfers').findOneAndDelete({}, { sort: { at: -1 } })`);

/** Runs a CronJob's Job at once; what it printed. */
async function runJob(release: Release, cronJob: string, job = cronJob, ends = 'complete'): Promise<string> {
  await release.kubectl('create', 'job', `--from=cronjob/${NAME}-${cronJob}`, job);
  await release.kubectl('wait', `--for=condition=${ends}`, `job/${job}`, '--timeout=180s');
  return release.kubectl('logs', `job/${job}`);
}

/** As docs/backup.md has it: a pod that mounts the claim of the backups. */
async function withClaim(suite: Suite, release: Release, use: (pod: string) => Promise<unknown>): Promise<void> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'backups' },
    spec: {
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'backups',
          image: suite.image,
          command: ['node', 'dist/tools/admin/src/wait.js'],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'backups', mountPath: '/backups' }],
        },
      ],
      volumes: [{ name: 'backups', persistentVolumeClaim: { claimName: `${NAME}-backups` } }],
    },
  };
  await release.apply(pod);
  await release.kubectl('wait', '--for=condition=ready', 'pod/backups', '--timeout=120s');
  await use('backups');
  await release.kubectl('delete', 'pod', 'backups');
}
