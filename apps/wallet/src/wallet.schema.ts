import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Language, Msisdn, WalletId } from '#libs/contracts';

/** A person's wallet. What money it holds stands in the ledger alone, under `wallet:<_id>`. */
@Schema({ collection: 'wallets', versionKey: false, strict: 'throw' })
export class Wallet {
  @Prop({ type: String }) _id!: WalletId;
  /** The number it was opened from. */
  @Prop({ type: String, required: true }) number!: Msisdn;
  /** As its owner gave it; may be empty. */
  @Prop({ type: String }) name!: string;
  @Prop({ type: String, required: true }) language!: Language;
  @Prop({ type: Date, required: true }) at!: Date;
}

export const WalletSchema = SchemaFactory.createForClass(Wallet);
