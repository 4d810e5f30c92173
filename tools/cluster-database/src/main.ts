import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { log, nameLogs } from '#libs/runtime';
import { z } from 'zod';
import { setUpDatabase } from './set-up.ts';

/** Run beside the bundled mongod, in its pod: makes it a replica set, and its users. Then there is nothing more to do, and it waits for its end. */
const settings = z.object({
  /** With the name and the password of the root user. */
  ADMIN_URI: z.string().min(1),
  /** A folder with one URI a file: a user each. */
  USERS: z.string().min(1),
});

process.once('SIGTERM', () => process.exit());
nameLogs('cluster-database');

const { ADMIN_URI, USERS } = settings.parse(process.env);
// A mounted Secret has its versions in folders that begin with dots.
const files = readdirSync(USERS).filter((file) => !file.startsWith('.'));
const users = files.map((file) => readFileSync(join(USERS, file), 'utf8').trim());
await setUpDatabase('127.0.0.1:27017', ADMIN_URI, users);
log.info({ users: files }, 'the database has its users');
setInterval(() => undefined, 2 ** 30);
