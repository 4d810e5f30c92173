import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Asker, inboxPrefix, MakeTransfer, OpenWallet, Tell } from '#libs/contracts';
import mongoose from 'mongoose';
import {
  AuthorizationError,
  connect,
  type NatsConnection,
  nkeyAuthenticator,
  PermissionViolationError,
} from '@nats-io/transport-node';
import { developmentSecrets, type MongoServer, natsCredentials, type NatsServer, startMongo, startNats } from './index.ts';
import { withDatabase } from './mongo.ts';

const { MongoClient } = mongoose.mongo;
const home = mkdtempSync(join(tmpdir(), 'smspay-servers-spec-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

// These tests are about the servers we start; the user's are left alone.
const given = ['MONGODB_URI', 'NATS_URL', 'MONGOMS_SYSTEM_BINARY'].map((name) => [name, process.env[name]] as const);
beforeAll(() => given.forEach(([name]) => delete process.env[name]));
afterEach(() => given.forEach(([name]) => delete process.env[name]));
afterAll(() => given.forEach(([name, value]) => value !== undefined && (process.env[name] = value)));

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const insert = async (server: MongoServer, id: number) => {
  const client = new MongoClient(server.uri('smspay_spec'), { writeConcern: { w: 'majority', j: true } });
  await client.db().collection<{ _id: number }>('things').insertOne({ _id: id });
  await client.close();
};
const idsIn = async (server: MongoServer) => {
  const client = new MongoClient(server.uri('smspay_spec'), { readConcern: { level: 'majority' } });
  const found = await client.db().collection<{ _id: number }>('things').find().sort({ _id: 1 }).toArray();
  await client.close();
  return found.map(({ _id }) => _id);
};

async function nextStatus(connection: NatsConnection, type: string) {
  for await (const status of connection.status()) if (status.type === type) return status;
  throw new Error(`closed before ${type}`);
}

async function permissionError(connection: NatsConnection): Promise<unknown> {
  const status = await nextStatus(connection, 'error');
  return status.type === 'error' && status.error;
}

describe('MongoDB', () => {
  const servers: MongoServer[] = [];
  const start = async (options: Parameters<typeof startMongo>[0]) => {
    const server = await startMongo(options);
    servers.push(server);
    return server;
  };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

  it('starts, keeps what it acknowledged over kill -9 and over a stop, and comes back on the same port', async () => {
    const dataDir = join(home, 'mongo');
    const first = await start({ dataDir });
    await insert(first, 1);
    await first.kill();
    expect(isAlive(first.pid ?? 0)).toBe(false);

    const second = await start({ dataDir, port: first.port });
    expect(second.port).toBe(first.port);
    await insert(second, 2);
    await second.stop();

    // Another port: the data do not belong to the one they were written under.
    const third = await start({ dataDir });
    expect(await idsIn(third)).toEqual([1, 2]);
  }, 120_000);

  it('says so when a server of an earlier start still runs on the data, or the port is taken', async () => {
    const dataDir = join(home, 'left-over');
    const running = await start({ dataDir });
    await expect(start({ dataDir })).rejects.toThrow(new RegExp(`earlier start still runs .*kill ${running.pid}$`));
    await expect(start({ port: running.port })).rejects.toThrow(`port ${running.port}, meant for `);
  }, 120_000);

  it('takes the one of MONGODB_URI as it is, and leaves it running', async () => {
    const running = await start({});
    process.env['MONGODB_URI'] = `mongodb://127.0.0.1:${running.port}/theirs?directConnection=true`;
    const theirs = await startMongo();
    expect(theirs.uri('smspay_spec')).toBe(running.uri('smspay_spec'));
    await theirs.stop();
    await insert(theirs, 1);
    expect(await idsIn(running)).toEqual([1]);
  }, 120_000);

  it('says which setting is wrong when a given server or binary is not there', async () => {
    process.env['MONGOMS_SYSTEM_BINARY'] = join(home, 'nowhere');
    await expect(startMongo()).rejects.toThrow(
      /^MONGOMS_SYSTEM_BINARY: must be the path of a mongod, got .*nowhere: there is none$/,
    );

    const old = join(home, 'old-mongod');
    writeFileSync(old, '#!/bin/sh\necho db version v6.0.9\n');
    chmodSync(old, 0o755);
    process.env['MONGOMS_SYSTEM_BINARY'] = old;
    await expect(startMongo()).rejects.toThrow('it is 6.0.9, at least 7.0 is needed');
  });

  it('lists each way tried when there is no server to be had', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = home;
    process.env['MONGOMS_DOWNLOAD_MIRROR'] = 'http://127.0.0.1:9';
    process.env['MONGOMS_DOWNLOAD_DIR'] = join(home, 'none');
    try {
      const message = await startMongo().catch((error: Error) => error.message);
      expect(message).toMatch(/^no MongoDB could be found:\n/);
      expect(message).toMatch(/\n {2}mongod on PATH: there is none\n/);
      expect(message).toMatch(/\n {2}the download of a mongod: http:.* cannot be reached: /);
      expect(message).toMatch(/\n {2}SecantusDB by pip: there is no python3\n/);
      expect(message).toMatch(/\nOne of these is enough: install MongoDB 7\.0 or newer/);
    } finally {
      process.env['PATH'] = PATH;
      delete process.env['MONGOMS_DOWNLOAD_MIRROR'];
      delete process.env['MONGOMS_DOWNLOAD_DIR'];
    }
  });

  it('leaves data to the kind of server that wrote them', async () => {
    const { PATH } = process.env;
    const bin = join(home, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'mongod'), '#!/bin/sh\necho db version v8.0.1\n', { mode: 0o755 });
    mkdirSync(join(home, 'by-stand-in', 'secantusdb'), { recursive: true });
    mkdirSync(join(home, 'by-mongod', 'mongod'), { recursive: true });
    try {
      process.env['PATH'] = `${bin}:${PATH}`;
      expect((await start({ dataDir: join(home, 'by-stand-in') })).description).toMatch(/^SecantusDB/);
      await expect(start({ dataDir: join(home, 'by-mongod') })).rejects.toThrow(/^MongoDB 8\.0\.1 \(on PATH\) ended at start/);
    } finally {
      process.env['PATH'] = PATH;
    }
  }, 60_000);

  it.each([
    ['mongodb://h:1', 'mongodb://h:1/new'],
    ['mongodb://h1,h2/old?replicaSet=r', 'mongodb://h1,h2/new?replicaSet=r'],
    ['mongodb+srv://u:p@h/old?tls=true', 'mongodb+srv://u:p@h/new?tls=true&authSource=old'],
    ['mongodb://u:p@h', 'mongodb://u:p@h/new?authSource=admin'],
    ['mongodb://u:p@h/old?authSource=x', 'mongodb://u:p@h/new?authSource=x'],
  ])('names another database in %s', (uri, expected) => {
    expect(withDatabase(uri, 'new')).toBe(expected);
  });
});

describe('NATS', () => {
  let server: NatsServer;
  let seedFiles: Record<Asker, string>;
  beforeAll(async () => {
    const credentials = await natsCredentials(join(home, 'nkeys'));
    seedFiles = credentials.seedFiles;
    server = await startNats({ dataDir: join(home, 'nats'), users: credentials.users });
  }, 120_000);
  afterAll(() => server.stop());

  const connections: NatsConnection[] = [];
  afterEach(() => Promise.all(connections.splice(0).map((connection) => connection.close())));
  const as = async (asker: Asker) => {
    const authenticator = nkeyAuthenticator(new TextEncoder().encode(readFileSync(seedFiles[asker], 'utf8')));
    const connection = await connect({ servers: server.url, authenticator, inboxPrefix: inboxPrefix(asker) });
    connections.push(connection);
    return connection;
  };

  it('makes each credential once, for its owner alone', async () => {
    const again = await natsCredentials(join(home, 'nkeys'));
    expect(again.seedFiles).toEqual(seedFiles);
    expect(readFileSync(again.seedFiles.wallet, 'utf8')).toMatch(/^SU/);
    expect(statSync(seedFiles.wallet).mode & 0o777).toBe(0o600);
    expect(new Set(again.users.map(({ nkey }) => nkey)).size).toBe(again.users.length);
  });

  it('lets a service answer in its queue group what another may ask it', async () => {
    const wallet = await as('wallet');
    wallet.subscribe(MakeTransfer.subject, { queue: 'wallet', callback: (_error, message) => void message.respond('done') });
    await wallet.flush();
    const transactions = await as('transactions');
    expect((await transactions.request(MakeTransfer.subject, 'please', { timeout: 5_000 })).string()).toBe('done');
  });

  it.each<[Asker, string]>([
    ['sms-gateway', MakeTransfer.subject],
    ['notifications', MakeTransfer.subject],
    ['transactions', OpenWallet.subject],
    ['wallet', Tell.subject],
    ['wallet', `${inboxPrefix('transactions')}.forged`],
    ['admin', '$SYS.REQ.SERVER.PING'],
  ])('refuses %s to publish on %s', async (asker, subject) => {
    const connection = await as(asker);
    const refused = permissionError(connection);
    connection.publish(subject, 'forbidden');
    expect(await refused).toBeInstanceOf(PermissionViolationError);
    expect(await refused).toMatchObject({ operation: 'publish', subject });
  });

  it.each<[Asker, string, string | undefined]>([
    ['wallet', MakeTransfer.subject, undefined],
    ['wallet', MakeTransfer.subject, 'another'],
    ['notifications', MakeTransfer.subject, 'wallet'],
    ['admin', '>', undefined],
    ['wallet', `${inboxPrefix('transactions')}.>`, undefined],
  ])('refuses %s to subscribe to %s with queue %s', async (asker, subject, queue) => {
    const connection = await as(asker);
    const refused = new Promise((resolve) => {
      connection.subscribe(subject, { ...(queue ? { queue } : {}), callback: (error) => resolve(error) });
    });
    expect(await refused).toBeInstanceOf(PermissionViolationError);
  });

  it('lets nobody in without a credential', async () => {
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toBeInstanceOf(AuthorizationError);
  });

  it('comes back on the same port after kill -9, and clients find it again', async () => {
    const wallet = await as('wallet');
    const reconnected = nextStatus(wallet, 'reconnect');
    const { port, pid } = server;
    await server.kill();
    expect(isAlive(pid ?? 0)).toBe(false);
    const { users } = await natsCredentials(join(home, 'nkeys'));
    server = await startNats({ dataDir: join(home, 'nats'), port, users });
    expect(server.port).toBe(port);
    await reconnected;
    await wallet.flush();
  }, 30_000);

  it('takes the one of NATS_URL as it is, and leaves it running', async () => {
    process.env['NATS_URL'] = `127.0.0.1:${server.port}`;
    const theirs = await startNats();
    await theirs.stop();
    expect(isAlive(server.pid ?? 0)).toBe(true);
    process.env['NATS_URL'] = 'nats://user:secret@127.0.0.1:9';
    await expect(startNats()).rejects.toThrow('NATS_URL: must name a NATS server that runs, got nats://127.0.0.1:9');
  });
});

describe('a server of ours', () => {
  it('ends with the process that started it, even if that is killed', async () => {
    const script = `import { startNats } from '#libs/dev-servers'; console.log((await startNats()).pid); setInterval(() => {}, 1e6);`;
    const parent = spawn(process.execPath, ['--conditions=source', '--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: process.env,
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    // The only news of a stranger's end is its absence.
    for (const deadline = Date.now() + 10_000; isAlive(pid) && Date.now() < deadline;) await delay(20);
    expect(isAlive(pid)).toBe(false);
  }, 30_000);
});

describe('development secrets', () => {
  it('are random, made once, and for their owner alone', () => {
    const one = developmentSecrets(join(home, 'one'));
    expect(developmentSecrets(join(home, 'one'))).toEqual(one);
    expect(developmentSecrets(join(home, 'two')).TWILIO_AUTH_TOKEN).not.toBe(one.TWILIO_AUTH_TOKEN);
    expect(one.TWILIO_AUTH_TOKEN).toMatch(/^development-/);
    const keys = JSON.parse(readFileSync(one.LEDGER_KEY, 'utf8')) as Record<string, string>;
    expect(Buffer.from(keys['development-1'] ?? '', 'base64')).toHaveLength(32);
    expect(statSync(one.LEDGER_KEY).mode & 0o777).toBe(0o600);
  });
});
