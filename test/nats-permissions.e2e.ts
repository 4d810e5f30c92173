import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Asker, ASKERS, askersIn, CONTRACTS, inboxPrefix, permissionsOf, ReadLedger, TRIED_SUBJECTS } from '#libs/contracts';
import { natsOptions, refusedOf } from '#libs/messaging';
import { natsCredentials, type NatsServer, type NatsUser, startNats } from '#libs/dev-servers';
import { connect } from '@nats-io/transport-node';

describe('a credential', () => {
  let nats: NatsServer;
  let users: NatsUser[];
  let seedFiles: Record<Asker, string>;
  beforeAll(async () => {
    ({ users, seedFiles } = await natsCredentials(mkdtempSync(join(tmpdir(), 'smspay-permissions-'))));
    nats = await startNats({ users });
  });
  afterAll(() => nats.stop());

  const connectAs = (asker: Asker, { url }: NatsServer) =>
    connect(natsOptions(asker, { NATS_URL: url, NATS_CREDS: seedFiles[asker] }));

  /** Which of all subjects NATS refused. */
  async function refused(asker: Asker, act: Parameters<typeof refusedOf>[2]): Promise<string[]> {
    const connection = await connectAs(asker, nats);
    const subjects = await refusedOf(connection, TRIED_SUBJECTS, act);
    await connection.close();
    return subjects;
  }

  it.each(ASKERS)('of %s asks what the contracts let it ask, and nothing else', async (asker) => {
    const allowed = permissionsOf(asker).publish;
    const publishing = await refused(asker, (connection, subject) => connection.publish(subject, '{}'));
    expect(publishing).toEqual(TRIED_SUBJECTS.filter((subject) => !allowed.includes(subject)));
  });

  it.each(ASKERS)(
    'of %s answers what the contracts let it answer in its own queue group, and hears nothing else',
    async (asker) => {
      const mine = new Set(CONTRACTS.filter((contract) => contract.by === asker).map((contract) => contract.subject));
      const own = `${inboxPrefix(asker)}.x`;
      const queued = await refused(asker, (connection, subject, callback) =>
        connection.subscribe(subject, { queue: asker, callback }),
      );
      expect(queued).toEqual(TRIED_SUBJECTS.filter((subject) => subject !== own && !mine.has(subject)));
      const plain = await refused(asker, (connection, subject, callback) => connection.subscribe(subject, { callback }));
      expect(plain).toEqual(TRIED_SUBJECTS.filter((subject) => subject !== own));
    },
  );

  it('only transactions may move money', () => {
    const movers = CONTRACTS.filter((contract) => contract.subject.startsWith('wallet.transfer.')).flatMap(
      (contract) => contract.from,
    );
    expect(new Set(movers)).toEqual(new Set(['transactions']));
  });

  it('that reads the whole ledger is one of admin alone in production, and the simulator is not let in', async () => {
    const inProduction = askersIn('production');
    expect(inProduction.filter((asker) => permissionsOf(asker).publish.includes(ReadLedger.subject))).toEqual(['admin']);
    const production = await startNats({ users: users.filter(({ name }) => inProduction.includes(name)) });
    try {
      await expect(connectAs('simulator', production)).rejects.toThrow(/authorization/i);
      const admin = await connectAs('admin', production);
      await admin.flush();
      await admin.close();
    } finally {
      await production.stop();
    }
  });
});
