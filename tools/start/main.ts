import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { styleText } from 'node:util';
import {
  developmentSecrets,
  developmentSettings,
  type DevelopmentSetUp,
  natsCredentials,
  type Part,
  startMongo,
  startNats,
} from '#libs/dev-servers';
import getPort from 'get-port';
import { Kept, type Running } from './keep.ts';
import { DATA, ROOT } from './root.ts';
import { startService } from './service.ts';
import { steps } from './steps.ts';
import { twilioOf } from './twilio.ts';

const PORTS: Record<Part, number> = {
  simulator: 3000,
  'sms-gateway': 3001,
  transactions: 3002,
  wallet: 3003,
  notifications: 3004,
};
/** Any free one if taken: nobody needs to know them. */
const MONGO_PORT = 27117;
const NATS_PORT = 4322;

/** In the order in which they are stopped: nobody before those who ask it. */
const STOP_ORDER = ['simulator', 'sms-gateway', 'transactions', 'notifications', 'wallet', 'NATS', 'MongoDB'];
const SERVICES: readonly Part[] = ['wallet', 'notifications', 'transactions', 'sms-gateway'];

const logFile = (name: string) => join(DATA, 'logs', `${name}.log`);
const shown = (path: string) => relative(ROOT, path);

const kept = new Map<string, Kept<Running>>();
let ending: Promise<void> | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!ending) return void end(0);
    // Whoever asks twice does not want to wait.
    for (const part of kept.values()) part.kill();
    process.exit(130);
  });
}

// Signals come by way of the process that started this one; if that was killed, its absence is the signal.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && void end(0), 1_000).unref();

await start().catch((error: unknown) => end(1, error));

async function start(): Promise<void> {
  const twilio = twilioOf(process.env);
  const parts: readonly Part[] = twilio.simulated ? [...SERVICES, 'simulator'] : SERVICES;
  for (const part of parts) await needPort(part);
  mkdirSync(DATA, { recursive: true });

  const { secrets, credentials } = await steps.do(
    'secrets',
    async () => ({
      secrets: developmentSecrets(join(DATA, 'secrets')),
      credentials: await natsCredentials(join(DATA, 'secrets')),
    }),
    () => `${shown(join(DATA, 'secrets'))}, for development only`,
  );
  const [mongoPort, natsPort] = [await getPort({ port: MONGO_PORT }), await getPort({ port: NATS_PORT })];
  const [mongo, nats] = await Promise.all([
    steps.do(
      'MongoDB',
      (log) =>
        keep('MongoDB', () => startMongo({ dataDir: join(DATA, 'mongodb'), port: mongoPort, logFile: logFile('mongodb'), log })),
      ({ description }) => description.replace(ROOT, ''),
    ),
    steps.do(
      'NATS',
      (log) =>
        keep('NATS', () =>
          startNats({ dataDir: join(DATA, 'nats'), port: natsPort, users: credentials.users, logFile: logFile('nats'), log }),
        ),
      ({ description, port }) => `${description}, port ${port}`,
    ),
  ]);

  const { simulator, ...servicePorts } = PORTS;
  const setUp: DevelopmentSetUp = {
    ports: twilio.simulated ? PORTS : servicePorts,
    mongo,
    nats,
    secrets,
    // A NATS of the user's has credentials of the user's, or none.
    ...(nats.pid === undefined ? {} : { seedFiles: credentials.seedFiles }),
  };
  const starts = await Promise.allSettled(
    parts.map((part) => {
      const log = createWriteStream(logFile(part), { flags: 'w' });
      const script = part === 'simulator' ? 'dist/tools/simulator/src/main.js' : `dist/apps/${part}/src/main.js`;
      const command = { name: part, script, env: environmentOf(part, setUp), port: PORTS[part], log, say };
      return steps.do(
        part,
        () => keep(part, (signal) => startService(command, signal)),
        () => `port ${PORTS[part]}, log ${shown(logFile(part))}`,
      );
    }),
  );

  // So that `npm run admin` finds what was started.
  const { MONGODB_URI, NATS_URL, LEDGER_KEY, TIME_ZONE, CURRENCY } = environmentOf('wallet', setUp);
  const forAdmin = { MONGODB_URI, NATS_URL, NATS_CREDS: setUp.seedFiles?.admin, LEDGER_KEY, TIME_ZONE, CURRENCY };
  writeFileSync(
    join(DATA, 'admin.env'),
    Object.entries(forAdmin)
      .map(([name, value]) => `${name}=${value ?? ''}\n`)
      .join(''),
  );

  // All that is wrong is told at once.
  const failures = starts.flatMap((outcome) => (outcome.status === 'rejected' ? [(outcome.reason as Error).message] : []));
  if (failures.length > 0) throw new Error(failures.join('\n'));

  console.log();
  if (twilio.simulated) console.log(`  ${styleText('bold', `The phones are at http://localhost:${simulator}`)}`);
  for (const line of twilio.lines) console.log(`  ${line}`);
  console.log(`  Ctrl-C stops everything; the next start finds the same money in ${shown(DATA)}\n`);
}

/** What the user's environment says wins, but for what each part has of its own. */
function environmentOf(part: Part, setUp: DevelopmentSetUp): NodeJS.ProcessEnv {
  const settings = developmentSettings(part, setUp);
  const { PORT, MONGODB_URI = '' } = settings;
  const given = Object.entries(process.env).filter(([, value]) => value !== '');
  return { ...settings, DATA_DIR: join(DATA, part), ...Object.fromEntries(given), PORT, MONGODB_URI };
}

async function keep<Kind extends Running>(name: string, begin: (signal: AbortSignal) => Promise<Kind>): Promise<Kind> {
  if (ending) throw new Error(`${name} is not started any more`);
  const part = new Kept(name, begin, { say, giveUp: (error) => end(1, error) });
  kept.set(name, part);
  return part.start();
}

async function needPort(part: Part): Promise<void> {
  const port = PORTS[part];
  if ((await getPort({ port })) === port) return;
  throw new Error(
    `port ${port}, on which ${part} listens, is taken: end the program that has it (is smspay started already?), then start again`,
  );
}

/** Stops everything in order and ends, once. */
function end(exitCode: number, error?: unknown): Promise<void> {
  ending ??= (async () => {
    steps.hush();
    if (error) console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    const running = STOP_ORDER.flatMap((name) => kept.get(name) ?? []);
    if (running.length > 0) {
      await steps.do(
        'stop',
        async (at) => {
          for (const part of running) {
            at(part.name);
            await part.stop();
          }
        },
        () => running.map(({ name }) => name).join(', '),
      );
    }
    process.exit(exitCode);
  })();
  return ending;
}

function say(line: string): void {
  if (!ending) steps.line(`  ${styleText('dim', new Date().toTimeString().slice(0, 8))} ${line}`);
}
