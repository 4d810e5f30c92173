import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Msisdn, SmsId } from '#libs/contracts';

/** What the gateway knows of a phone number: one row each. */
@Schema({ collection: 'numbers', versionKey: false, strict: 'throw' })
export class NumberRecord {
  @Prop({ type: String }) _id!: Msisdn;
  /** When an SMS of theirs that asked for nothing was last met with help, and which. Moved on by who sees the one before: so it is one SMS. */
  @Prop({ type: Date, required: true }) helpedAt!: Date;
  @Prop({ type: String, required: true }) helpedFor!: SmsId;
}

export const NumberSchema = SchemaFactory.createForClass(NumberRecord);
