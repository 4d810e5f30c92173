import { ASKERS } from '#libs/contracts';
import { type Release, SERVICES } from './release.ts';
import type { Scenario } from './suite.ts';

/** Prints which of the addresses take a connection within 2 s. */
const REACHED = (targets: Record<string, string>) => `
  import { connect } from 'node:net';
  const reaches = ([name, address]) => new Promise((resolve) => {
    const [host, port] = address.split(':');
    const socket = connect(Number(port), host).setTimeout(2_000);
    const end = (found) => { socket.destroy(); resolve(found); };
    socket.once('connect', () => end([name])).once('timeout', () => end([])).once('error', () => end([]));
  });
  const found = await Promise.all(Object.entries(${JSON.stringify(targets)}).map(reaches));
  console.log(JSON.stringify(found.flat().sort()));`;

/** What each pod may reach in a release with the simulator. Whatever else there is must be refused. */
const MAY_REACH: Record<string, string[]> = {
  'sms-gateway': ['mongodb', 'nats', 'simulator', 'sms-gateway'],
  transactions: ['mongodb', 'nats', 'simulator'],
  wallet: ['mongodb', 'nats', 'simulator'],
  notifications: ['nats', 'simulator'],
  // Whoever is no part of the release: what Twilio and a person at the demo's page reach.
  stranger: ['kubernetes', 'simulator', 'sms-gateway'],
};

export const network: Scenario = {
  name: 'network',
  title: 'NetworkPolicies: connections that are refused',
  async run(suite) {
    const { release } = await suite.town();
    const targets: Record<string, string> = {};
    for (const component of [...SERVICES, 'simulator']) targets[component] = await addressOf(release, component, 3000);
    targets['mongodb'] = await addressOf(release, 'mongodb', 27017);
    targets['nats'] = await addressOf(release, 'nats', 4222);
    targets["nats' routes"] = await addressOf(release, 'nats', 6222);
    targets["nats' monitor"] = await addressOf(release, 'nats', 8222);
    targets['kubernetes'] = 'kubernetes.default.svc:443';
    await startStranger(release, suite.image);
    for (const [from, expected] of Object.entries(MAY_REACH)) {
      const others = Object.keys(targets).filter((name) => !expected.includes(name));
      await suite.check(`${from} reaches ${expected.join(', ')}, and none of ${others.join(', ')}`, async () => {
        const [pod] = await release.pods(from);
        const reached = (await release.node(pod?.metadata.name ?? '', REACHED(targets))).trim();
        if (reached !== JSON.stringify(expected)) throw new Error(`it reaches ${reached}`);
      });
    }
    // Nobody would start it again after a drain, which therefore refuses to begin.
    await release.kubectl('delete', 'pod/stranger');
  },
};

/** Of the last pod of a component; the first one connects, and nothing keeps a pod from itself. */
async function addressOf(release: Release, component: string, port: number): Promise<string> {
  const pod = (await release.pods(component)).at(-1);
  if (!pod?.status.podIP) throw new Error(`no pod of ${component} has an address`);
  return `${pod.status.podIP}:${port}`;
}

/** A pod in the release's namespace that is none of its own. */
async function startStranger(release: Release, image: string): Promise<void> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'stranger',
      // The labels by which the suite finds it, and not the name by which the policies know their own.
      labels: { 'app.kubernetes.io/instance': 'smspay', 'app.kubernetes.io/component': 'stranger' },
    },
    spec: {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'stranger',
          image,
          command: ['node', '--eval', 'setInterval(() => {}, 1e9)'],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
  await release.apply(pod);
  await release.ready('stranger', 1);
}

/** Tries all that the credential of this pod may not do; prints what NATS let it do nevertheless. */
const FORBIDDEN = (asker: string) => `
  import { inboxPrefix, permissionsOf, TRIED_SUBJECTS } from '#libs/contracts';
  import { natsOptions, refusedOf } from '#libs/messaging';
  import { connect } from '@nats-io/transport-node';
  const nats = await connect(natsOptions('${asker}', process.env));
  const asking = TRIED_SUBJECTS.filter((subject) => !permissionsOf('${asker}').publish.includes(subject));
  const listening = TRIED_SUBJECTS.filter((subject) => subject !== inboxPrefix('${asker}') + '.x');
  const asked = await refusedOf(nats, asking, (_, subject) => nats.publish(subject, '{}'));
  const heard = await refusedOf(nats, listening, (_, subject, callback) => nats.subscribe(subject, { callback }));
  const allowed = [...asking.filter((subject) => !asked.includes(subject)), ...listening.filter((subject) => !heard.includes(subject))];
  console.log(JSON.stringify({ tried: asking.length + listening.length, allowed }));
  process.exit();`;

export const subjects: Scenario = {
  name: 'subjects',
  title: 'Each forbidden NATS subject is refused',
  async run(suite) {
    const { release } = await suite.town();
    for (const asker of ASKERS) {
      await suite.check(`to the credential of ${asker}: asking, and listening without its queue group`, async () => {
        const [pod] = await release.pods(asker);
        const said = await release.node(pod?.metadata.name ?? '', FORBIDDEN(asker));
        const { tried, allowed } = JSON.parse(said) as { tried: number; allowed: string[] };
        if (allowed.length > 0) throw new Error(`NATS let it: ${allowed.join(', ')}`);
        return `${tried} refused`;
      });
    }
  },
};
