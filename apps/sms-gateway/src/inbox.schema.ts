import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Sealed, SmsId } from '#libs/contracts';
import { DrivenRecord } from '#libs/redrive';

/** One SMS as the provider handed it over, recorded before the provider is answered. Its id is the provider's and never erased. */
@Schema({ collection: 'inbox', versionKey: false, strict: 'throw' })
export class InboxMessage extends DrivenRecord {
  @Prop({ type: String }) _id!: SmsId;
  /** Who sent it and to whom, in the provider's words, whatever they are: even empty ones are recorded. */
  @Prop({ type: String, required: isAbsent('from') }) from!: string;
  @Prop({ type: String, required: isAbsent('to') }) to!: string;
  /** Sealed for `inbox:<_id>`. Absent after its time. */
  @Prop({ type: String }) text?: Sealed;
  /** How many pictures and the like came with it; never fetched. */
  @Prop({ type: Number, required: true }) media!: number;
  @Prop({ type: Date, required: true }) recordedAt!: Date;
  /** What came of it; absent while it is open. */
  @Prop({ type: String }) outcome?: string;
  /** When its text is erased; absent when it was. */
  @Prop({ type: Date }) eraseAt?: Date;
}

export const InboxSchema = SchemaFactory.createForClass(InboxMessage)
  .index({ nextTryAt: 1 }, { sparse: true })
  .index({ 'dead.at': 1 }, { sparse: true })
  .index({ eraseAt: 1 }, { sparse: true })
  .index({ from: 1, recordedAt: 1 })
  .index({ recordedAt: 1 });

/** mongoose takes an empty text for none. */
function isAbsent(field: 'from' | 'to') {
  return function (this: InboxMessage) {
    return typeof this[field] !== 'string';
  };
}
