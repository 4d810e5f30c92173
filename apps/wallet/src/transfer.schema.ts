import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { AccountId, Cause, Currency, PaymentId, Ref, RefusalReason, TransferId, TransferKind } from '#libs/contracts';

@Schema({ _id: false, strict: 'throw' })
class DebitRecord {
  @Prop({ type: String, required: true }) account!: AccountId;
  @Prop({ type: Number, required: true }) seq!: number;
  @Prop({ type: BigInt, required: true }) total!: bigint;
  @Prop({ type: BigInt, required: true }) dayTotal!: bigint;
  @Prop({ type: BigInt, required: true }) monthTotal!: bigint;
  @Prop({ type: Boolean, required: true }) frozen!: boolean;
  @Prop({ type: Number, required: true }) tier!: number;
  @Prop({ type: String }) prev!: string;
}

@Schema({ _id: false, strict: 'throw' })
class CreditRecord {
  @Prop({ type: String, required: true }) account!: AccountId;
  @Prop({ type: Number, required: true }) lane!: number;
  @Prop({ type: Number, required: true }) seq!: number;
  @Prop({ type: BigInt, required: true }) total!: bigint;
  @Prop({ type: Number, required: true }) tier!: number;
  @Prop({ type: String }) prev!: string;
}

@Schema({ _id: false, strict: 'throw' })
class FeeRecord {
  @Prop({ type: String, required: true }) account!: AccountId;
  @Prop({ type: Number, required: true }) lane!: number;
  @Prop({ type: Number, required: true }) seq!: number;
  @Prop({ type: BigInt, required: true }) total!: bigint;
  @Prop({ type: BigInt, required: true }) amount!: bigint;
  @Prop({ type: String }) prev!: string;
}

/**
 * How `TransferDocument` of the ledger lies in the collection: one transfer, whole, or the refusal of one, which has no legs, so that the
 * sparse indexes do not see it. Inserted, never updated. Minor units.
 */
@Schema({ collection: 'transfers', versionKey: false, strict: 'throw' })
export class Transfer {
  @Prop({ type: String }) _id!: TransferId;
  @Prop({ type: String, required: true }) kind!: TransferKind | 'refused';
  @Prop({ type: String }) currency?: Currency;
  @Prop({ type: BigInt }) amount?: bigint;
  @Prop({ type: SchemaFactory.createForClass(DebitRecord) }) debit?: DebitRecord;
  @Prop({ type: SchemaFactory.createForClass(CreditRecord) }) credit?: CreditRecord;
  @Prop({ type: SchemaFactory.createForClass(FeeRecord) }) fee?: FeeRecord;
  @Prop({ type: String }) paymentId?: PaymentId;
  @Prop({ type: Number }) ref?: Ref;
  @Prop({ type: String }) reason?: RefusalReason;
  @Prop({ type: String, required: true }) cause!: Cause;
  @Prop({ type: String }) memo?: string;
  @Prop({ type: Date, required: true }) at!: Date;
  @Prop({ type: String }) hash?: string;
}

export const TransferSchema = SchemaFactory.createForClass(Transfer)
  .index({ 'debit.account': 1, 'debit.seq': 1 }, { unique: true, sparse: true })
  .index({ 'credit.account': 1, 'credit.lane': 1, 'credit.seq': 1 }, { unique: true, sparse: true })
  .index({ 'fee.account': 1, 'fee.lane': 1, 'fee.seq': 1 }, { unique: true, sparse: true })
  .index({ at: 1, _id: 1 });
