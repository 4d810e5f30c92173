import type { PostedTransfer, Side, TransferDocument } from './transfer.ts';
import type { LedgerSource } from './verify.ts';

/** What is needed of a MongoDB collection, so that this library needs no driver. */
interface Collection {
  find(filter?: object): { sort(order: Record<string, 1>): AsyncIterable<TransferDocument> };
}

/** The index of each side's chains. */
const ORDER: Record<Side, Record<string, 1>> = {
  debit: { 'debit.account': 1, 'debit.seq': 1 },
  credit: { 'credit.account': 1, 'credit.lane': 1, 'credit.seq': 1 },
  fee: { 'fee.account': 1, 'fee.lane': 1, 'fee.seq': 1 },
};

/** The ledger in a collection, to be walked by `verify` along its indexes. */
export function ledgerSource(transfers: Collection): LedgerSource {
  return {
    byId: () => transfers.find().sort({ _id: 1 }),
    // Any account is above the empty string: a bound, so that the sparse index is walked and nothing sorted.
    bySide: (side) => transfers.find({ [`${side}.account`]: { $gt: '' } }).sort(ORDER[side]) as AsyncIterable<PostedTransfer>,
  };
}
