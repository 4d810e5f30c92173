import { ReadLedger } from '#libs/contracts';
import { natsOptions, type NatsSettings } from '#libs/messaging';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { decode, encode } from 'zod';
import type { LedgerPart } from './live.ts';

const TIMEOUT_MS = 3_000;
const LIMIT = 1000;
/** A document may become visible after a later one: each read looks back this far. */
const LOOK_BACK_MS = 10_000;

/** Follows the ledger by the wallet's read contract, over plain NATS request and reply. */
export class LedgerReader {
  readonly #nats: NatsSettings;
  readonly #seen = new Set<string>();
  readonly #part: LedgerPart = { entries: [], owners: {} };
  #connection: NatsConnection | undefined;
  #newestAt = 0;

  constructor(nats: NatsSettings) {
    this.#nats = nats;
  }

  /** All that was read up to now. */
  get all(): LedgerPart {
    return this.#part;
  }

  /** Reads what is new; throws where NATS or the wallet does not answer, with a message that says so. */
  async read(): Promise<LedgerPart> {
    const fresh: LedgerPart = { entries: [], owners: {} };
    let since = Math.max(this.#newestAt - LOOK_BACK_MS, 0);
    for (;;) {
      const part = await this.#ask(new Date(since));
      for (const entry of part.entries) {
        if (this.#seen.has(entry.transferId)) continue;
        this.#seen.add(entry.transferId);
        fresh.entries.push(entry);
        this.#newestAt = Math.max(this.#newestAt, Date.parse(entry.at));
      }
      Object.assign(fresh.owners, part.owners);
      if (part.entries.length < LIMIT || this.#newestAt === since) break;
      since = this.#newestAt;
    }
    this.#part.entries.push(...fresh.entries);
    Object.assign(this.#part.owners, fresh.owners);
    return fresh;
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #ask(since: Date): Promise<LedgerPart> {
    const connection = await this.#connect();
    const deadline = headers();
    deadline.set('Smspay-Deadline', String(Date.now() + TIMEOUT_MS));
    const request = encode(ReadLedger.request, { since, limit: LIMIT });
    const answer = await connection
      .request(ReadLedger.subject, JSON.stringify(request), { timeout: TIMEOUT_MS, headers: deadline })
      .catch((error: unknown) => {
        throw new Error('The wallet does not answer.', { cause: error });
      });
    const reply = answer.json<{ ok: LedgerPart } | { error: string }>();
    if ('error' in reply) throw new Error(`The wallet cannot read its ledger now (${reply.error}).`);
    decode(ReadLedger.response, reply.ok); // Throws where the wallet does not speak by the contract.
    return reply.ok;
  }

  async #connect(): Promise<NatsConnection> {
    if (this.#connection && !this.#connection.isClosed()) return this.#connection;
    try {
      this.#connection = await connect({
        ...natsOptions('simulator', this.#nats),
        maxReconnectAttempts: -1,
        timeout: TIMEOUT_MS,
      });
      return this.#connection;
    } catch (error) {
      throw new Error(`NATS cannot be reached at ${this.#nats.NATS_URL}: ${(error as Error).message}.`, { cause: error });
    }
  }
}
