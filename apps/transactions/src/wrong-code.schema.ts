import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Msisdn, SmsId } from '#libs/contracts';

const KEPT_SECONDS = 2 * 24 * 3_600;

/** An SMS whose code fitted nothing: counted once, over all processes. */
@Schema({ collection: 'wrong_codes', versionKey: false, strict: 'throw' })
export class WrongCode {
  @Prop({ type: String }) _id!: SmsId;
  @Prop({ type: String, required: true }) number!: Msisdn;
  @Prop({ type: Date, required: true }) at!: Date;
}

export const WrongCodeSchema = SchemaFactory.createForClass(WrongCode)
  .index({ number: 1, at: 1 })
  .index({ at: 1 }, { expireAfterSeconds: KEPT_SECONDS });
