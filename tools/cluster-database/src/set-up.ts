import { setTimeout as pause } from 'node:timers/promises';
import { log } from '#libs/runtime';
import { ConnectionString } from 'mongodb-connection-string-url';
import mongoose, { type mongo } from 'mongoose';

const POLL_MS = 500;
/** As the chart starts mongod. */
const REPLICA_SET = 'rs0';

const USER_NOT_FOUND = 11;
const UNAUTHORIZED = 13;
const AUTHENTICATION_FAILED = 18;

/**
 * Makes the server at `host` the only member of its replica set, the root user of `adminUri`, and the user of each URI, who may read and
 * write that URI's database and nothing else, or back up and restore all if it is `admin`. What is there already stays; a password
 * becomes that of the URI. `host` must be this machine's: a mongod with a key file lets it in without a login until the first user is made.
 */
export async function setUpDatabase(host: string, adminUri: string, userUris: readonly string[]): Promise<void> {
  const { username: root, password } = new ConnectionString(adminUri);
  const withoutLogin = `mongodb://${host}/admin`;
  const asRoot = `mongodb://${root}:${password}@${host}/admin`;
  while (!(await isPrimary(withoutLogin, host))) await pause(POLL_MS);
  if (!(await canLogIn(asRoot)))
    await asClient(withoutLogin, ({ admin }) => makeFirstUser(admin, decodeURIComponent(root), decodeURIComponent(password)));
  await asClient(asRoot, async ({ client }) => {
    for (const uri of userUris) await giveUser(client, new ConnectionString(uri));
  });
}

/** Whether the server takes writes. Initiates its replica set where it never was. */
async function isPrimary(uri: string, host: string): Promise<boolean> {
  try {
    return await asClient(uri, async ({ admin }) => {
      const hello = await admin.command({ hello: 1 });
      // By 127.0.0.1 and not by the pod's name: a member that cannot find itself at its start, when the name may be unknown yet, stays out.
      if (hello['isreplicaset']) await admin.command({ replSetInitiate: { _id: REPLICA_SET, members: [{ _id: 0, host }] } });
      return Boolean(hello['isWritablePrimary']);
    });
  } catch (error) {
    log.info({ err: error }, 'mongod is not ready; looking again');
    return false;
  }
}

async function canLogIn(uri: string): Promise<boolean> {
  try {
    await asClient(uri, ({ admin }) => admin.command({ ping: 1 }));
    return true;
  } catch (error) {
    if (codeOf(error) === AUTHENTICATION_FAILED) return false;
    throw error;
  }
}

async function makeFirstUser(admin: mongo.Db, user: string, password: string): Promise<void> {
  try {
    await admin.command({ createUser: user, pwd: password, roles: ['root'] });
  } catch (error) {
    if (codeOf(error) !== UNAUTHORIZED) throw error;
    throw new Error(
      `the database has users, and its ${user} another password than the Secret: the two must come from one release`,
      {
        cause: error,
      },
    );
  }
}

async function giveUser(root: mongo.MongoClient, uri: ConnectionString): Promise<void> {
  const database = uri.pathname.slice(1);
  const user = decodeURIComponent(uri.username);
  const roles = database === 'admin' ? ['backup', 'restore'] : ['readWrite'];
  const what = { pwd: decodeURIComponent(uri.password), roles: roles.map((role) => ({ role, db: database })) };
  // In its own database, so that a URI need not say where its user is.
  await root
    .db(database)
    .command({ updateUser: user, ...what })
    .catch((error: unknown) => {
      if (codeOf(error) !== USER_NOT_FOUND) throw error;
      return root.db(database).command({ createUser: user, ...what });
    });
}

/** A client for one use: one whose first connection failed stays closed. */
async function asClient<T>(uri: string, use: (as: { client: mongo.MongoClient; admin: mongo.Db }) => Promise<T>): Promise<T> {
  const client = new mongoose.mongo.MongoClient(uri, { directConnection: true, serverSelectionTimeoutMS: 3_000 });
  try {
    return await use({ client, admin: client.db('admin') });
  } finally {
    await client.close();
  }
}

const codeOf = (error: unknown) => (error as { code?: unknown }).code;
