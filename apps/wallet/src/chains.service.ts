import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { AccountId } from '#libs/contracts';
import {
  type Chain,
  chainName,
  creditChain,
  creditHead,
  debitChain,
  debitHead,
  feeHead,
  type Heads,
  incomeChains,
  type Order,
  type PostedTransfer,
  totalOf,
  type TransferDocument,
} from '#libs/ledger';
import { LRUCache } from 'lru-cache';
import type { Model } from 'mongoose';
import { Transfer } from './transfer.schema.ts';

const SEEN_MAX = 100_000;
const ROUNDS_MAX = 32;
const STEPS = 20;

/** Reads the chains of the ledger. */
@Injectable()
export class ChainsService {
  /** The newest seq seen of each chain: only the place to start reading from, so it may be stale or gone. */
  readonly #seen = new LRUCache<string, number>({
    // `max` would take the room for all of them at each start.
    maxSize: SEEN_MAX,
    sizeCalculation: () => 1,
  });

  constructor(@InjectModel(Transfer.name) private readonly transfers: Model<TransferDocument>) {}

  /** The heads that an order is decided against, with that of the chain in which its fee is collected. */
  async headsFor({ from, to, fee }: Omit<Order, 'at'>, fees: Chain): Promise<Heads> {
    const [debit, credit, feeNewest, ...income] = await Promise.all([
      this.newestOf(debitChain(from)),
      this.newestOf(creditChain(to)),
      fee > 0n ? this.newestOf(fees) : undefined,
      ...incomeChains(from).map((chain) => this.#totalOf(chain)),
    ]);
    return {
      debit: debitHead(from, debit),
      credit: creditHead(to, credit),
      ...(fee > 0n && { fee: feeHead(fees, feeNewest) }),
      credits: income.reduce((sum, total) => sum + total, 0n),
    };
  }

  /** What an account holds, in minor units. */
  async balanceOf(account: AccountId): Promise<bigint> {
    // Debits first: what comes in between can then only make it look richer than it was, never below its floor.
    const debits = await this.#totalOf(debitChain(account));
    const income = await Promise.all(incomeChains(account).map((chain) => this.#totalOf(chain)));
    return income.reduce((sum, total) => sum + total, 0n) - debits;
  }

  /** The newest documents of a chain, newest first. */
  async lastOf(chain: Chain, count: number): Promise<PostedTransfer[]> {
    const newest = await this.newestOf(chain);
    const seq = newest?.[chain.side]?.seq;
    if (!newest || seq === undefined) return [];
    return this.#read(chain, { $gt: seq - count, $lte: seq });
  }

  /**
   * The newest document of a chain. Looks up exact seqs, ever farther from the newest one seen (1, 2, 4 … where none is) until one is not
   * there, and then between: a chain has no gaps. So it costs the same however long the chain is.
   */
  async newestOf(chain: Chain): Promise<PostedTransfer | undefined> {
    const name = chainName(chain);
    let low = this.#seen.get(name) ?? 0;
    let high: number | undefined;
    let newest: PostedTransfer | undefined;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      // Most chains have moved by one since they were seen, or not at all.
      const probes = round === 0 && low > 0 ? [low + 1, low + 2] : probesBetween(low, high);
      const [found] = await this.#read(chain, { $in: newest ? probes : [low, ...probes] });
      newest = found ?? newest;
      low = newest?.[chain.side]?.seq ?? 0;
      high = probes.find((probe) => probe > low) ?? high;
      if (high === low + 1) {
        this.#seen.set(name, low);
        return newest;
      }
    }
    throw new Error(`chain ${name}: no end found from seq ${low}`);
  }

  async #totalOf(chain: Chain): Promise<bigint> {
    return totalOf(chain, await this.newestOf(chain));
  }

  /** Newest first. */
  #read({ side, account, lane }: Chain, seq: object): Promise<PostedTransfer[]> {
    return this.transfers
      .find({ [`${side}.account`]: account, ...(side !== 'debit' && { [`${side}.lane`]: lane }), [`${side}.seq`]: seq })
      .sort({ [`${side}.seq`]: -1 })
      .lean<PostedTransfer[]>();
  }
}

/** Seqs above `low` to look at, ascending, the next one always among them: ever farther, or spread over what lies below `high`. */
function probesBetween(low: number, high: number | undefined): number[] {
  if (high === undefined) return Array.from({ length: STEPS }, (_, step) => low + 2 ** step);
  const stride = Math.ceil((high - low) / STEPS);
  const spread = Array.from({ length: STEPS }, (_, step) => low + step * stride).filter((seq) => seq > low + 1 && seq < high);
  return [low + 1, ...spread];
}
