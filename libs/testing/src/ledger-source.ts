import type { LedgerSource, PostedTransfer, TransferDocument } from '#libs/ledger';
import type { mongo } from 'mongoose';

/** The ledger of a wallet database, to be walked by `verify`. */
export function ledgerSource(db: mongo.Db): LedgerSource {
  const transfers = db.collection<TransferDocument>('transfers');
  return {
    byId: () => transfers.find().sort({ _id: 1 }),
    bySide: (side) =>
      transfers
        .find({ [side]: { $exists: true } })
        .sort({ [`${side}.account`]: 1, [`${side}.lane`]: 1, [`${side}.seq`]: 1 }) as unknown as AsyncIterable<PostedTransfer>,
  };
}
