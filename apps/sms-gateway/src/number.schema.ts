import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Language, Msisdn, SmsId } from '#libs/contracts';

/** What the gateway knows of a phone number: one row each. */
@Schema({ collection: 'numbers', versionKey: false, strict: 'throw' })
export class NumberRecord {
  @Prop({ type: String }) _id!: Msisdn;
  @Prop({ type: String, required: true }) language!: Language;
  /** When an SMS of theirs was recorded last, and a text of ours delivered to them; both to a few minutes. */
  @Prop({ type: Date }) heardAt?: Date;
  @Prop({ type: Date }) deliveredAt?: Date;
  /** They sent STOP: the provider takes no text for them. */
  @Prop({ type: Date }) optedOutAt?: Date;
  /** When an SMS of theirs that asked for nothing was last met with help, and which. Moved on by who sees the one before: so it is one SMS. */
  @Prop({ type: Date }) helpedAt?: Date;
  @Prop({ type: String }) helpedFor?: SmsId;
}

export const NumberSchema = SchemaFactory.createForClass(NumberRecord);
