import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Msisdn, SmsId } from '#libs/contracts';

/**
 * A ticket to compare a code with those of six digits, taken before it is compared. Its id is `<number>:<1 to 5>`, and it is taken for an hour, so
 * there are never more of a number in any hour, however many SMS come at once. Whose code was right gives it back.
 */
@Schema({ collection: 'guesses', versionKey: false, strict: 'throw' })
export class Guess {
  @Prop({ type: String }) _id!: string;
  /** Whose ticket it is: the same one however often its SMS is driven. */
  @Prop({ type: String, required: true }) smsId!: SmsId;
  /** When it was taken. */
  @Prop({ type: Date, required: true }) at!: Date;
  /** From then on, by when an SMS was recorded, it is free again. */
  @Prop({ type: Date, required: true }) until!: Date;
  /** `wrong`: its code fitted nothing. `right`: it fits, and what it asks for is not done yet. Absent while it is being compared. */
  @Prop({ type: String }) is?: 'wrong' | 'right';
}

export const GuessSchema = SchemaFactory.createForClass(Guess)
  .index({ smsId: 1 }, { unique: true })
  .index({ until: 1 }, { expireAfterSeconds: 3_600 });

/** A number at whose codes somebody guesses: its new ones have nine digits until then. */
@Schema({ collection: 'guessed_numbers', versionKey: false, strict: 'throw' })
export class GuessedNumber {
  @Prop({ type: String }) _id!: Msisdn;
  @Prop({ type: Date, required: true }) until!: Date;
}

export const GuessedNumberSchema = SchemaFactory.createForClass(GuessedNumber).index({ until: 1 }, { expireAfterSeconds: 0 });
