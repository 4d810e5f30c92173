import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Language, Link, Msisdn, Sealed } from '#libs/contracts';
import { DrivenRecord } from '#libs/redrive';
import type { TextState } from './domain/delivery.ts';

/** One text to one person. Under its id (`<event>:<number>`) the first one stored is sent. */
@Schema({ collection: 'outbox', versionKey: false, strict: 'throw' })
export class OutboxText extends DrivenRecord {
  @Prop({ type: String }) _id!: string;
  @Prop({ type: String, required: true }) to!: Msisdn;
  /** The recipient's wallet link, where they have one: a waiting text never passes to the number's next owner. */
  @Prop({ type: String }) link?: Link;
  @Prop({ type: String, required: true }) language!: Language;
  /** Of our numbers, or our Messaging Service. */
  @Prop({ type: String, required: true }) from!: string;
  /** Sealed for `text:<_id>`. Absent after its time. */
  @Prop({ type: String }) text?: Sealed;
  /** What it says (`QueuedText.told`, as JSON), sealed for `told:<_id>`, for phones that read more than texts. Absent after its time. */
  @Prop({ type: String }) told?: Sealed;
  @Prop({ type: Boolean, required: true }) carriesCode!: boolean;
  @Prop({ type: Date }) dropAt?: Date;
  @Prop({ type: Date, required: true }) createdAt!: Date;
  @Prop({ type: String, required: true }) state!: TextState;
  /** Stands in the callback's URL, and so names the SID even if the reply to the POST was lost. */
  @Prop({ type: String, required: true }) callbackId!: string;
  /** When each of the first tries began, stored before its POST. */
  @Prop({ type: [Date], required: true }) sends!: Date[];
  /** The provider's id of the message. */
  @Prop({ type: String }) sid?: string;
  @Prop({ type: Number }) errorCode?: number;
  /** Why the provider refused it for good, and when; 0.2.0 stored it as `dead`. Apart from the dead letters: of these there are ever more. */
  @Prop({ type: Object }) refused?: { reason: string; at: Date };
  /** When its text is erased; absent when it was. */
  @Prop({ type: Date }) eraseAt?: Date;
}

/** How logs and operators name a text, whose id ends with its reader's number: by an id that tells nothing, and by what it tells, `SM…:received`. */
export function namesOf({ _id, callbackId }: OutboxText): { textId: string; event: string } {
  return { textId: callbackId, event: _id.slice(0, _id.lastIndexOf(':')) };
}

export const OutboxSchema = SchemaFactory.createForClass(OutboxText)
  .index({ callbackId: 1 }, { unique: true })
  .index({ sid: 1 }, { unique: true, sparse: true })
  .index({ nextTryAt: 1 }, { sparse: true })
  .index({ 'dead.at': 1 }, { sparse: true })
  .index({ 'refused.at': 1 }, { sparse: true })
  .index({ eraseAt: 1 }, { sparse: true })
  .index({ createdAt: 1 });
