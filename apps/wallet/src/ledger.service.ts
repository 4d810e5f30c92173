import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import {
  type AccountId,
  type Cause,
  feesAccount,
  type RefusalReason,
  type TransferAnswer,
  type TransferId,
} from '#libs/contracts';
import {
  type Chain,
  chainName,
  creditChain,
  debitChain,
  feeChains,
  floorOf,
  type Heads,
  type Order,
  post,
  signed,
  type TransferDocument,
} from '#libs/ledger';
import { assertWaited, Unavailable, crashPoint, Host, log, Metrics } from '#libs/runtime';
import { isDuplicateKey } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { ChainsService } from './chains.service.ts';
import type { Settings } from './settings.ts';
import { Transfer } from './transfer.schema.ts';
import { Turns } from './turns.ts';

const RACES_MAX = 200;
const RACE_PAUSE_MAX_MS = 10;
const OUTAGES_MAX = 3;

/** Writes the ledger: one insert is one transfer, whole, or the refusal of one. The document of an id is its answer for ever. */
@Injectable()
export class LedgerService {
  readonly #turns = new Turns();
  readonly #transfersTotal;
  readonly #conflictsTotal;

  constructor(
    @InjectModel(Transfer.name) private readonly transfers: Model<TransferDocument>,
    private readonly chains: ChainsService,
    private readonly clock: Clock,
    private readonly host: Host,
    metrics: Metrics,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.#transfersTotal = metrics.counter('smspay_transfers_total', 'Ids that the ledger decided, by what they became', [
      'kind',
      'result',
    ]);
    metrics.gauge(
      'smspay_ledger_waiting',
      'Transfers that wait for an account in this process, or are being decided',
      () => this.#turns.waiting,
    );
    this.#conflictsTotal = metrics.counter('smspay_ledger_conflicts_total', 'Inserts that lost a race for a place in a chain');
  }

  /** Moves money once per id, or says for ever why not. `id_taken` if the id moved money before, but not this. */
  async make(order: Omit<Order, 'at'>): Promise<TransferAnswer> {
    if (order.currency !== this.settings.CURRENCY) {
      throw new Error(`transfer ${order.transferId} is in ${order.currency}, the ledger in ${this.settings.CURRENCY}`);
    }
    const stored = (await this.find(order.transferId)) ?? (await this.#takeTurn(order));
    return isOf(order, stored) ? this.answerOf(stored, order.from) : { result: 'id_taken', cause: stored.cause };
  }

  /** Says that a transfer will never be made, unless it was. */
  async refuse(transferId: TransferId, reason: RefusalReason, cause: Cause, payer?: AccountId): Promise<TransferAnswer> {
    const stored = (await this.find(transferId)) ?? (await this.#write(() => this.#refusalOf(transferId, reason, cause)));
    return this.answerOf(stored, payer);
  }

  /** What the ledger holds under an id. */
  async find(transferId: TransferId): Promise<TransferDocument | undefined> {
    return (await this.transfers.findById(transferId).lean<TransferDocument>()) ?? undefined;
  }

  /** What is told of a stored document; of a refusal, with the balance of whoever would have paid, if that is given. Balances are read now, after its insert. */
  async answerOf(stored: TransferDocument, payer?: AccountId): Promise<TransferAnswer> {
    const { cause, at } = stored;
    if (stored.kind === 'refused') {
      const balance = payer && { payerBalance: await this.chains.balanceOf(payer) };
      return { result: 'refused', reason: stored.reason, cause, ...balance };
    }
    const [payerBalance, payeeBalance] = await Promise.all([
      this.chains.balanceOf(stored.debit.account),
      this.chains.balanceOf(stored.credit.account),
    ]);
    return { result: 'made', kind: stored.kind, cause, payerBalance, payeeBalance, at };
  }

  /** Decides when those before it on the same chains in this process are done; of the chains of fees, the one with the fewest. */
  #takeTurn(order: Omit<Order, 'at'>): Promise<TransferDocument> {
    const lanes = feeChains(feesAccount(order.currency));
    // From a place of its own, so that processes meet seldom.
    const from = Math.floor(this.host.random() * lanes.length);
    const byName = new Map([...lanes.slice(from), ...lanes.slice(0, from)].map((lane) => [chainName(lane), lane]));
    const lane = this.#turns.freest([...byName.keys()] as [string, ...string[]]);
    const names = [chainName(debitChain(order.from)), chainName(creditChain(order.to)), ...(order.fee > 0n ? [lane] : [])];
    return this.#turns.take(names, () => this.#decide(order, byName.get(lane) as Chain));
  }

  #decide(order: Omit<Order, 'at'>, fees: Chain): Promise<TransferDocument> {
    const rules = { floor: floorOf(order.from), timeZone: this.settings.TIME_ZONE };
    return this.#write(async () => {
      const decide = (heads: Heads) => post({ ...order, at: this.clock.now() }, heads, rules);
      const heads = await this.chains.headsFor(order, fees);
      const first = decide(heads);
      if (first.result === 'posted') return signed(first.transfer, this.settings.LEDGER_KEY);
      // What was read could have been stale: a refusal is written only if credits that are newer than the debits say the same.
      const second = decide({ ...(await this.chains.headsFor(order, fees)), debit: heads.debit });
      if (second.result === 'posted') return signed(second.transfer, this.settings.LEDGER_KEY);
      return this.#refusalOf(order.transferId, second.reason, order.cause);
    });
  }

  /** Inserts what `decide` makes of the chains as they are; whoever loses a race reads and decides again. Returns what the id holds then. */
  async #write(decide: () => TransferDocument | Promise<TransferDocument>): Promise<TransferDocument> {
    let outages = 0;
    for (let race = 0; race < RACES_MAX; race++) {
      this.clock.assertGood();
      assertWaited('the ledger');
      const document = await decide();
      const record = new this.transfers(document);
      await record.validate();
      crashPoint('wallet: before insert');
      try {
        await this.transfers.insertOne(record, { validateBeforeSave: false });
        crashPoint('wallet: transfer inserted');
        this.#count(document);
        return document;
      } catch (error) {
        // A chain can have moved on, the id can be taken, or the reply was lost after the insert: only the id itself says what holds.
        const stored = await this.find(document._id);
        if (stored) return stored;
        if (isDuplicateKey(error)) this.#conflictsTotal.inc();
        else if (++outages === OUTAGES_MAX) throw new Unavailable('the ledger', { cause: error });
      }
      await this.host.sleep(this.host.random() * RACE_PAUSE_MAX_MS);
    }
    throw new Unavailable(`the ledger: ${RACES_MAX} races lost for one transfer, it`);
  }

  #refusalOf(transferId: TransferId, reason: RefusalReason, cause: Cause): TransferDocument {
    return { _id: transferId, kind: 'refused', reason, cause, at: this.clock.now() };
  }

  #count(document: TransferDocument): void {
    if (document.kind === 'refused') {
      this.#transfersTotal.inc({ kind: 'refused', result: document.reason });
      log.info({ transferId: document._id, reason: document.reason }, 'transfer refused');
    } else {
      this.#transfersTotal.inc({ kind: document.kind, result: 'made' });
      log.info({ transferId: document._id, paymentId: document.paymentId }, 'transfer made');
    }
  }
}

/** Whether a stored document is what an order asks for. A refusal answers any order of its id. */
function isOf({ kind, from, to, amount, fee, currency }: Omit<Order, 'at'>, stored: TransferDocument): boolean {
  return (
    stored.kind === 'refused' ||
    (stored.kind === kind &&
      stored.debit.account === from &&
      stored.credit.account === to &&
      stored.amount === amount &&
      (stored.fee?.amount ?? 0n) === fee &&
      stored.currency === currency)
  );
}
