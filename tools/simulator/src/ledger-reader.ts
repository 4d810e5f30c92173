import { type LedgerEntry, ReadLedger, type ResponseOf, type TransferId } from '#libs/contracts';
import { NatsLink, type NatsSettings, RpcClient } from '#libs/messaging';
import { Metrics, realHost } from '#libs/runtime';

const LIMIT = 1000;
/** A document may become visible after a later one: each read looks back this far. */
const LOOK_BACK_MS = 10_000;

/** A part of the ledger, as the wallet answers it. */
export type LedgerPart = Omit<ResponseOf<typeof ReadLedger>, 'more'>;

/** Follows the ledger by the wallet's read contract. */
export class LedgerReader {
  readonly #url: string;
  readonly #link: NatsLink;
  readonly #services: RpcClient;
  readonly #entries = new Map<TransferId, LedgerEntry>();
  readonly #owners: LedgerPart['owners'] = {};
  #newestAt = 0;

  constructor(nats: NatsSettings) {
    this.#url = nats.NATS_URL;
    this.#link = new NatsLink('simulator', nats);
    this.#services = new RpcClient(this.#link, realHost, new Metrics(realHost));
  }

  /** Begins to connect to NATS, and goes on for ever. */
  open(): void {
    void this.#link.open();
  }

  /** All that was read up to now. */
  get all(): LedgerPart {
    return { entries: [...this.#entries.values()], owners: this.#owners };
  }

  /** Reads what is new; throws where NATS or the wallet does not answer, with a message that says so. */
  async read(): Promise<LedgerPart> {
    const fresh = new Map<TransferId, LedgerEntry>();
    const freshOwners: LedgerPart['owners'] = {};
    let newestAt = this.#newestAt;
    let from: { since: Date; after?: TransferId } = { since: new Date(Math.max(newestAt - LOOK_BACK_MS, 0)) };
    for (;;) {
      const { entries, owners, more } = await this.#ask(from);
      for (const entry of entries) if (!this.#entries.has(entry.transferId)) fresh.set(entry.transferId, entry);
      Object.assign(freshOwners, owners);
      const last = entries.at(-1);
      if (last) newestAt = Math.max(newestAt, last.at.getTime());
      if (!more || !last) break;
      from = { since: last.at, after: last.transferId };
    }
    // Only now: of a read that fails half-way nothing counts as told.
    for (const [id, entry] of fresh) this.#entries.set(id, entry);
    Object.assign(this.#owners, freshOwners);
    this.#newestAt = newestAt;
    return { entries: [...fresh.values()], owners: freshOwners };
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  async #ask(from: { since: Date; after?: TransferId }): Promise<ResponseOf<typeof ReadLedger>> {
    try {
      return await this.#services.ask(ReadLedger, { ...from, limit: LIMIT });
    } catch (error) {
      const problem = this.#services.connected
        ? 'The wallet does not answer, or not with its ledger: its log says why.'
        : `NATS does not take the simulator at ${this.#url}: the simulator's log says why.`;
      throw new Error(problem, { cause: error });
    }
  }
}
