import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Asker, ASKERS, CONTRACTS, inboxPrefix, permissionsOf } from '#libs/contracts';
import { natsCredentials, type NatsServer, startNats } from '#libs/servers';
import { connect, type NatsConnection, nkeyAuthenticator } from 'nats';

const SUBJECTS = [
  ...CONTRACTS.map((contract) => contract.subject),
  'anything',
  '$SYS.REQ.SERVER.PING',
  ...ASKERS.map((asker) => `${inboxPrefix(asker)}.x`),
];

describe('a credential', () => {
  let nats: NatsServer;
  let seedFiles: Record<Asker, string>;
  beforeAll(async () => {
    const credentials = await natsCredentials(mkdtempSync(join(tmpdir(), 'smspay-permissions-')));
    ({ seedFiles } = credentials);
    nats = await startNats({ users: credentials.users });
  });
  afterAll(() => nats.stop());

  const enter = (asker: Asker): Promise<NatsConnection> =>
    connect({
      servers: nats.url,
      inboxPrefix: inboxPrefix(asker),
      authenticator: nkeyAuthenticator(readFileSync(seedFiles[asker])),
    });

  /** Which of all subjects NATS refused. */
  async function refusedOf(
    asker: Asker,
    act: (connection: NatsConnection, subject: string, refuse: (error: Error | null) => void) => void,
  ): Promise<string[]> {
    const connection = await enter(asker);
    const refused = new Set<string>();
    void (async () => {
      for await (const status of connection.status()) if (status.permissionContext) refused.add(status.permissionContext.subject);
    })();
    for (const subject of SUBJECTS) {
      act(connection, subject, (error) => error && refused.add(subject));
      // A refusal comes before the answer to this ping.
      await connection.flush();
    }
    // The loop above has read what came before.
    await new Promise(setImmediate);
    await connection.close();
    return [...refused].sort();
  }

  it.each(ASKERS)('of %s asks what the contracts let it ask, and nothing else', async (asker) => {
    const allowed = permissionsOf(asker).publish;
    const refused = await refusedOf(asker, (connection, subject) => connection.publish(subject, '{}'));
    expect(refused).toEqual(SUBJECTS.filter((subject) => !allowed.includes(subject)).sort());
  });

  it.each(ASKERS)(
    'of %s answers what the contracts let it answer in its own queue group, and hears nothing else',
    async (asker) => {
      const mine = new Set(CONTRACTS.filter((contract) => contract.by === asker).map((contract) => contract.subject));
      const own = `${inboxPrefix(asker)}.x`;
      const queued = await refusedOf(asker, (connection, subject, callback) =>
        connection.subscribe(subject, { queue: asker, callback }),
      );
      expect(queued).toEqual(SUBJECTS.filter((subject) => subject !== own && !mine.has(subject)).sort());
      const plain = await refusedOf(asker, (connection, subject, callback) => connection.subscribe(subject, { callback }));
      expect(plain).toEqual(SUBJECTS.filter((subject) => subject !== own).sort());
    },
  );

  it('only transactions may move money', () => {
    const movers = CONTRACTS.filter((contract) => contract.subject.startsWith('wallet.transfer.')).flatMap(
      (contract) => contract.from,
    );
    expect(new Set(movers)).toEqual(new Set(['transactions']));
  });
});
