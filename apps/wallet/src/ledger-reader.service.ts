import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type LedgerEntry, minorUnits, type ReadLedger, type RequestOf, type ResponseOf } from '#libs/contracts';
import type { PostedTransfer, TransferDocument } from '#libs/ledger';
import type { Model } from 'mongoose';
import { Transfer } from './transfer.schema.ts';
import { WalletsService } from './wallets.service.ts';

/** Well below what NATS takes, 1 MiB. */
const PAGE_BYTES = 700_000;
/** More than an entry and its owners take without the memo, as JSON. */
const ENTRY_BYTES = 2_000;

/** Shows the ledger to operators' tools. */
@Injectable()
export class LedgerReader {
  constructor(
    @InjectModel(Transfer.name) private readonly transfers: Model<TransferDocument>,
    private readonly wallets: WalletsService,
  ) {}

  /** A page of the ledger in order of time, and whose the wallets in it are. */
  async read({ since = new Date(0), after, limit }: RequestOf<typeof ReadLedger>): Promise<ResponseOf<typeof ReadLedger>> {
    const order = { at: 1, _id: 1 } as const;
    // Two walks along one index: what has the same moment, and what is later.
    const beside = after
      ? await this.transfers
          .find({ at: since, _id: { $gt: after } })
          .sort(order)
          .limit(limit + 1)
          .lean<TransferDocument[]>()
      : [];
    const later = { at: after ? { $gt: since } : { $gte: since } };
    const room = limit + 1 - beside.length;
    const found =
      room > 0 ? [...beside, ...(await this.transfers.find(later).sort(order).limit(room).lean<TransferDocument[]>())] : beside;
    const documents = found.slice(0, Math.min(limit, fitting(found)));
    const accounts = documents.flatMap((document) =>
      document.kind === 'refused' ? [] : [document.debit.account, document.credit.account],
    );
    const owners = await this.wallets.ownersOf(accounts);
    return { entries: documents.map(entryOf), more: found.length > documents.length, owners: Object.fromEntries(owners) };
  }
}

/** How many of the first fit an answer: at least one, whatever it has. An entry has its memo, and twice an owner with a name. */
function fitting(documents: readonly TransferDocument[]): number {
  let bytes = 0;
  const over = documents.findIndex((document) => {
    bytes += ENTRY_BYTES + ('memo' in document ? 6 * document.memo.length : 0);
    return bytes > PAGE_BYTES;
  });
  return over === -1 ? documents.length : Math.max(1, over);
}

function entryOf(document: TransferDocument): LedgerEntry {
  if (document.kind === 'refused') {
    return { result: 'refused', transferId: document._id, reason: document.reason, at: document.at };
  }
  const { _id, kind, currency, amount, debit, credit, fee, ref, memo, at }: PostedTransfer = document;
  return {
    result: 'made',
    transferId: _id,
    kind,
    currency,
    amount: minorUnits(amount),
    debit: { account: debit.account, seq: debit.seq, total: minorUnits(debit.total) },
    credit: { account: credit.account, lane: credit.lane, seq: credit.seq, total: minorUnits(credit.total) },
    fee: fee && {
      account: fee.account,
      lane: fee.lane,
      seq: fee.seq,
      total: minorUnits(fee.total),
      amount: minorUnits(fee.amount),
    },
    ref,
    memo,
    at,
  };
}
