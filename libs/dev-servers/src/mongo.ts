import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import getPort from 'get-port';
import mongoose from 'mongoose';
import { findPython, installByPip, type Log } from './install.ts';
import { type ServerCommand, startServer } from './server-process.ts';
import { firstOf, messageOf, versionOf, type Way, withoutPassword } from './ways.ts';

/** The stand-in, pinned with its hashes in `secantusdb.txt`, and the CPython 3.x it has wheels for. */
const SECANTUSDB = 'secantusdb-0.7.0b3';
const SECANTUSDB_PYTHONS = [13, 12, 11, 10];
const SECANTUSDB_MAIN = fileURLToPath(new URL('../secantusdb.py', import.meta.url));

/** The replica set of one member that a mongod of ours is: transactions and majority writes need one. */
const REPLICA_SET = 'smspay';

export interface MongoOptions {
  /** Where the data stay; without it they go with the server. Each kind of server has a folder of its own in it. */
  dataDir?: string;
  /** On 127.0.0.1; without it any free one. Must be free. */
  port?: number;
  /** With one it asks for logins, once there is a user: a file for its owner alone, by which a mongod's members know each other. */
  keyFile?: string;
  /** Told what one waits for. */
  log?: Log;
  /** Where the server's own output goes; without it beside the data. */
  logFile?: string;
}

/** A MongoDB, ours or the user's. */
export interface MongoServer {
  /** Which server it is, and where its data are. */
  readonly description: string;
  readonly port: number;
  /** Absent if the user gave it: then `stop` leaves it running and `kill` throws. */
  readonly pid?: number;
  /** Resolves when it has ended, with how: `SIGKILL`, `exit code 1`. Never if the user gave it. */
  readonly exited: Promise<string>;
  /** The URI of one database. */
  uri(database: string): string;
  stop(): Promise<void>;
  /** SIGKILL. Resolves when it is gone; `startMongo` with the same port and dataDir brings it back. */
  kill(): Promise<void>;
}

/** Finds a MongoDB (README.md has the order), and starts it unless the user's `MONGODB_URI` names one. */
export async function startMongo({
  dataDir,
  port,
  keyFile,
  log = () => undefined,
  logFile,
}: MongoOptions = {}): Promise<MongoServer> {
  const given = process.env['MONGODB_URI'];
  if (given) return givenMongo(given);

  const home = dataDir ?? (await mkdtemp(join(tmpdir(), 'smspay-mongodb-')));
  const removeTemporary = async () => {
    if (!dataDir) await rm(home, { recursive: true, force: true });
  };
  try {
    const engine = await findEngine(home, log);
    const ownPort = port ?? (await getPort());
    const data = join(home, engine.kind);
    const { command, args, env } = engine.start(ownPort, data);
    const server = await startServer({
      name: engine.name,
      port: ownPort,
      dataDir: data,
      logFile: logFile ?? join(home, `${engine.kind}.log`),
      isReady: () => isPrimary(ownPort, engine.kind),
      cleanUp: removeTemporary,
      command,
      args: keyFile ? [...args, '--keyFile', keyFile] : args,
      ...(env ? { env } : {}),
    });
    return {
      description: `${engine.name}, data in ${dataDir ? data : 'a temporary folder'}`,
      port: ownPort,
      ...server,
      uri: (database) => `mongodb://127.0.0.1:${ownPort}/${database}?directConnection=true`,
    };
  } catch (error) {
    await removeTemporary();
    throw error;
  }
}

/** The URI with another database in its path; who logs in by the path's database still does. */
export function withDatabase(uri: string, database: string): string {
  const [, server = '', path = '', query = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(uri) ?? [];
  if (!server) throw new Error(`MONGODB_URI: must be mongodb://host/… or mongodb+srv://host/…, got ${withoutPassword(uri)}`);
  const loginDatabase = server.includes('@') && !/(^|&)authSource=/i.test(query) ? `authSource=${path || 'admin'}` : '';
  const parameters = [query, loginDatabase].filter(Boolean).join('&');
  return `${server}/${database}${parameters ? `?${parameters}` : ''}`;
}

async function givenMongo(uri: string): Promise<MongoServer> {
  const client = new mongoose.mongo.MongoClient(withDatabase(uri, 'admin'), { serverSelectionTimeoutMS: 5_000 });
  try {
    await client.db('admin').command({ ping: 1 });
    return {
      description: `the MongoDB of MONGODB_URI, ${withoutPassword(uri)}`,
      port: client.options.hosts[0]?.port ?? 27017,
      exited: new Promise(() => undefined),
      uri: (database) => withDatabase(uri, database),
      stop: () => Promise.resolve(),
      kill: () => Promise.reject(new Error('the MongoDB of MONGODB_URI is not ours to kill')),
    };
  } catch (error) {
    throw new Error(`MONGODB_URI: ${withoutPassword(uri)} does not answer: ${messageOf(error)}`, { cause: error });
  } finally {
    await client.close();
  }
}

/** A kind of server, found and ready to be started. */
interface Engine {
  name: string;
  kind: 'mongod' | 'secantusdb';
  start(port: number, data: string): Pick<ServerCommand, 'command' | 'args' | 'env'>;
}

function findEngine(home: string, log: Log): Promise<Engine> {
  const systemBinary = process.env['MONGOMS_SYSTEM_BINARY'];
  if (systemBinary) {
    return mongod(systemBinary, 'of MONGOMS_SYSTEM_BINARY').catch((error: unknown) => {
      throw new Error(`MONGOMS_SYSTEM_BINARY: must be the path of a mongod, got ${systemBinary}: ${messageOf(error)}`, {
        cause: error,
      });
    });
  }
  const realOnes: Way<Engine>[] = [
    { name: 'MONGODB_URI, MONGOMS_SYSTEM_BINARY', find: () => Promise.reject(new Error('are not set')) },
    { name: 'mongod on PATH', find: () => mongod('mongod', 'on PATH') },
    { name: 'a mongod downloaded before', find: downloadedBefore },
    { name: 'the download of a mongod', find: () => download(log) },
  ];
  const standIn: Way<Engine> = { name: 'SecantusDB by pip', find: () => secantusdb(log) };
  // Data stay with the kind of server that wrote them: another one would not find the money.
  const written = (kind: Engine['kind']) => existsSync(join(home, kind));
  const writtenByMongod: Way<Engine> = {
    ...standIn,
    find: () => Promise.reject(new Error(`the data in ${home} were written by a mongod`)),
  };
  const ways = written('mongod') ? [...realOnes, writtenByMongod] : written('secantusdb') ? [standIn] : [...realOnes, standIn];
  return firstOf(
    'MongoDB',
    ways,
    'One of these is enough: install MongoDB 7.0 or newer so that mongod is on PATH, set MONGODB_URI to a replica set of yours, ' +
      'or install Python 3.10 to 3.13 with pip.',
  );
}

async function mongod(binary: string, where: string): Promise<Engine> {
  const version = await versionOf(binary, [7, 0]);
  return {
    name: `MongoDB ${version} (${where})`,
    kind: 'mongod',
    start: (port, data) => ({
      command: binary,
      args: ['--replSet', REPLICA_SET, '--bind_ip', '127.0.0.1', '--port', String(port), '--dbpath', data].concat(
        // The default waits 15 s for other members; there are none.
        ['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=100'],
      ),
    }),
  };
}

async function downloadedBefore(): Promise<Engine> {
  const { DryMongoBinary } = await import('mongodb-memory-server-core');
  const binary = await DryMongoBinary.locateBinary(await DryMongoBinary.generateOptions());
  if (!binary) throw new Error('there is none');
  return mongod(binary, 'downloaded');
}

async function download(log: Log): Promise<Engine> {
  const { DryMongoBinary, MongoBinary } = await import('mongodb-memory-server-core');
  const { MongoBinaryDownloadUrl } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js');
  const options = await DryMongoBinary.generateOptions();
  const url = await new MongoBinaryDownloadUrl(options).getDownloadUrl();
  // A silent host would never fail by itself, and a refused download only after seconds: ask for its head first.
  const { ok, status } = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(3_000) }).catch((error: Error) => {
    throw new Error(`${url} cannot be reached: ${messageOf(error.cause ?? error)}`);
  });
  if (!ok) throw new Error(`${url} answers ${status}`);
  log(`downloading MongoDB ${options.version}, once`);
  return mongod(await MongoBinary.getPath(), 'downloaded');
}

async function secantusdb(log: Log): Promise<Engine> {
  const commands = ['python3', ...SECANTUSDB_PYTHONS.map((minor) => `python3.${minor}`)];
  const python = await findPython(commands, SECANTUSDB_PYTHONS);
  const packages = await installByPip(python, `${SECANTUSDB}-${python.tag}`, 'secantusdb.txt', log);
  return {
    name: `SecantusDB ${SECANTUSDB.replace(/^\w+-/, '')}, a stand-in for MongoDB`,
    kind: 'secantusdb',
    start: (port, data) => ({
      command: python.path,
      args: [SECANTUSDB_MAIN, '--bind_ip', '127.0.0.1', '--port', String(port), '--dbpath', data],
      env: { ...process.env, PYTHONPATH: packages },
    }),
  };
}

/** Whether the server takes majority writes. Makes a mongod the only member of its replica set first, under the port it has now. */
async function isPrimary(port: number, kind: Engine['kind']): Promise<boolean> {
  const client = new mongoose.mongo.MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 1_000,
  });
  try {
    const admin = client.db('admin');
    const hello = await admin.command({ hello: 1 });
    if (hello['isWritablePrimary'] || kind === 'secantusdb') return Boolean(hello['isWritablePrimary']);
    const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
    const config = await admin.command({ replSetGetConfig: 1 }).then(
      (answer) => answer['config'] as { version: number; members: { host: string }[] },
      () => undefined, // never initiated
    );
    if (!config) await admin.command({ replSetInitiate: { _id: REPLICA_SET, members } });
    else if (config.members[0]?.host !== members[0]?.host)
      await admin.command({ replSetReconfig: { ...config, version: config.version + 1, members }, force: true });
    return false;
  } catch {
    return false; // it is still starting: asked again
  } finally {
    await client.close();
  }
}
