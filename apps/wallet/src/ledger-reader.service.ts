import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type LedgerEntry, minorUnits, type ReadLedger, type RequestOf, type ResponseOf } from '#libs/contracts';
import type { PostedTransfer, TransferDocument } from '#libs/ledger';
import type { Model } from 'mongoose';
import { Transfer } from './transfer.schema.ts';
import { WalletsService } from './wallets.service.ts';

/** Shows the ledger to operators' tools. */
@Injectable()
export class LedgerReader {
  constructor(
    @InjectModel(Transfer.name) private readonly transfers: Model<TransferDocument>,
    private readonly wallets: WalletsService,
  ) {}

  /** A page of the ledger in order of time, and whose the wallets in it are. */
  async read({ since, limit }: RequestOf<typeof ReadLedger>): Promise<ResponseOf<typeof ReadLedger>> {
    const documents = await this.transfers
      .find(since ? { at: { $gte: since } } : {})
      .sort({ at: 1, _id: 1 })
      .limit(limit)
      .lean<TransferDocument[]>();
    const accounts = documents.flatMap((document) =>
      document.kind === 'refused' ? [] : [document.debit.account, document.credit.account],
    );
    const owners = await this.wallets.ownersOf(accounts);
    return { entries: documents.map(entryOf), owners: Object.fromEntries(owners) };
  }
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
