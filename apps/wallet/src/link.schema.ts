import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Link, SmsId, WalletId } from '#libs/contracts';

/** The dated link from a number to a wallet. Its insert decides who opens a wallet for the number, and on what terms; all else follows from it. */
@Schema({ collection: 'links', versionKey: false, strict: 'throw' })
export class LinkRecord {
  @Prop({ type: String }) _id!: Link;
  @Prop({ type: String, required: true }) walletId!: WalletId;
  /** The SMS that opened it. */
  @Prop({ type: String, required: true }) cause!: SmsId;
  /** Minor units; given once, as the setting was then. */
  @Prop({ type: BigInt, required: true }) welcomeCredit!: bigint;
  @Prop({ type: Date, required: true }) at!: Date;
}

export const LinkSchema = SchemaFactory.createForClass(LinkRecord);
