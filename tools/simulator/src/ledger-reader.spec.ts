import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type LedgerEntry, ReadLedger, type RequestOf, type ResponseOf } from '#libs/contracts';
import { type NatsServer, startNats } from '#libs/dev-servers';
import { NatsLink, RpcServer } from '#libs/messaging';
import { log, Metrics, realHost } from '#libs/runtime';
import { until } from '#libs/testing';
import { type LedgerPart, LedgerReader } from './ledger-reader.ts';

const LIMIT = 1000;
const refusedAt = (ms: number, id = `pay:${ms}`) =>
  ({ result: 'refused', transferId: id, reason: 'declined', at: new Date(ms) }) as LedgerEntry;
const OWNERS = { 'wallet:ada': { number: '+254722004321', name: 'Ada' } } as unknown as LedgerPart['owners'];

describe('the reader of the ledger', () => {
  const { level } = log;
  let nats: NatsServer;
  let wallet: NatsLink;
  let server: RpcServer;
  let reader: LedgerReader;
  /** In order of time, as the wallet has it. */
  let ledger: LedgerEntry[];
  let fails: (request: RequestOf<typeof ReadLedger>) => boolean;

  beforeAll(async () => {
    log.level = 'silent';
    nats = await startNats();
  });
  afterAll(async () => {
    log.level = level;
    await nats.stop();
  });
  beforeEach(async () => {
    ledger = [];
    fails = () => false;
    wallet = new NatsLink('wallet', { NATS_URL: nats.url });
    server = new RpcServer(wallet, 'wallet', realHost, new Metrics(realHost));
    const answer = async (request: RequestOf<typeof ReadLedger>): Promise<ResponseOf<typeof ReadLedger>> => {
      if (fails(request)) throw new Error('the ledger cannot be read');
      const { since = new Date(0), after = '', limit } = request;
      const left = ledger
        .toSorted((one, other) => one.at.getTime() - other.at.getTime() || (one.transferId < other.transferId ? -1 : 1))
        .filter(({ at, transferId }) => at > since || (at.getTime() === since.getTime() && transferId > after));
      return { entries: left.slice(0, limit), owners: OWNERS, more: left.length > limit };
    };
    server.addHandler(ReadLedger.subject, answer, false, { contract: ReadLedger });
    server.listen(() => undefined);
    await wallet.open();
    await wallet.connection?.flush();
    reader = new LedgerReader({ NATS_URL: nats.url });
    reader.open();
    await until(() => reader.read().then(Boolean, () => false), { timeoutMs: 5_000, what: () => 'NATS' });
  });
  afterEach(async () => {
    await reader.close();
    await server.close();
    await wallet.close();
  });

  const idsOf = ({ entries }: LedgerPart) => entries.map(({ transferId }) => transferId);

  it('reads all in parts, then only what is new, also what became visible after a later one', async () => {
    ledger = Array.from({ length: 2 * LIMIT + 1 }, (_, n) => refusedAt(20_000 + n));
    expect(idsOf(await reader.read())).toEqual(idsOf({ entries: ledger, owners: {} }));
    expect(await reader.read()).toEqual({ entries: [], owners: OWNERS });
    ledger = [...ledger.slice(0, -1), refusedAt(22_000, 'pay:late'), ...ledger.slice(-1), refusedAt(22_001)];
    expect(idsOf(await reader.read())).toEqual(['pay:late', 'pay:22001']);
    expect(reader.all.entries).toHaveLength(ledger.length);
    expect(reader.all.owners).toEqual(OWNERS);
  });

  it('tells again what it read before the wallet failed half-way', async () => {
    ledger = Array.from({ length: LIMIT + 1 }, (_, n) => refusedAt(20_000 + n));
    fails = ({ after }) => after !== undefined;
    await expect(reader.read()).rejects.toThrow('The wallet does not answer, or not with its ledger: its log says why.');
    expect(reader.all.entries).toEqual([]);
    fails = () => false;
    expect(idsOf(await reader.read())).toHaveLength(LIMIT + 1);
  });

  it('says who does not answer', async () => {
    await server.close();
    await wallet.connection?.flush();
    await expect(reader.read()).rejects.toThrow('The wallet does not answer');
    const lost = new LedgerReader({ NATS_URL: 'nats://127.0.0.1:1' });
    lost.open();
    await expect(lost.read()).rejects.toThrow('NATS does not take the simulator at nats://127.0.0.1:1');
    await lost.close();
  });
});
