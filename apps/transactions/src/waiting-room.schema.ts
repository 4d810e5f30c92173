import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Msisdn, SmsId } from '#libs/contracts';
import type { CodeDigits, Ticket, Waiting, WaitingRoom } from './domain/waiting-room.ts';

@Schema({ _id: false })
class WaitingRecord implements Waiting {
  @Prop({ type: String, required: true }) id!: string;
  @Prop({ type: String, required: true }) kind!: Waiting['kind'];
  @Prop({ type: Date, required: true }) until!: Date;
  @Prop({ type: Number, required: true }) codeN!: number;
  @Prop({ type: Number, required: true }) codeDigits!: CodeDigits;
  @Prop({ type: Date }) longerSince?: Date;
  @Prop({ type: String }) codeKey?: string;
  @Prop({ type: Boolean }) over?: boolean;
}
const WaitingSchema = SchemaFactory.createForClass(WaitingRecord);

@Schema({ _id: false })
class TicketRecord implements Ticket {
  @Prop({ type: String, required: true }) smsId!: SmsId;
  @Prop({ type: Date, required: true }) at!: Date;
  @Prop({ type: Date, required: true }) until!: Date;
  @Prop({ type: String }) is?: 'wrong' | 'right';
}
const TicketSchema = SchemaFactory.createForClass(TicketRecord);

/** What waits for the codes of one number, whole: so one conditional write decides who gets a place or a ticket. Changed only by version. */
@Schema({ collection: 'waiting_rooms', versionKey: false, strict: 'throw' })
export class WaitingRoomRecord implements WaitingRoom {
  @Prop({ type: String }) _id!: Msisdn;
  @Prop({ type: Number, required: true }) version!: number;
  @Prop({ type: [WaitingSchema], required: true }) things!: Waiting[];
  @Prop({ type: [TicketSchema], required: true }) tickets!: Ticket[];
  @Prop({ type: Date }) guessedUntil?: Date;
  /** Then the database removes it. */
  @Prop({ type: Date, required: true }) emptyAt!: Date;
}

export const WaitingRoomSchema = SchemaFactory.createForClass(WaitingRoomRecord).index({ emptyAt: 1 }, { expireAfterSeconds: 0 });
