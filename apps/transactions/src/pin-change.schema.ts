import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Cause, Language, Msisdn, PinAnswer, Sealed, SmsId } from '#libs/contracts';
import { type Driven, DrivenRecord } from '#libs/redrive';
import type { PinChange, PinTale } from './domain/pin-change.ts';
import type { CodeDigits } from './domain/waiting-room.ts';

/** One PIN that somebody wants to set. Its id is that of the SMS that asks for it. Changed only by version. */
@Schema({ collection: 'pin_changes', versionKey: false, strict: 'throw' })
export class PinChangeRecord extends DrivenRecord {
  @Prop({ type: String }) _id!: SmsId;
  @Prop({ type: String, required: true }) state!: PinChange['state'];
  @Prop({ type: String, required: true }) number!: Msisdn;
  @Prop({ type: String, required: true }) language!: Language;
  @Prop({ type: Date, required: true }) openedAt!: Date;
  @Prop({ type: Date, required: true }) dropAt!: Date;
  @Prop({ type: Date, required: true }) endsAt!: Date;
  @Prop({ type: Date, required: true }) expiresAt!: Date;
  @Prop({ type: Number, required: true }) codeDigits!: CodeDigits;
  /** The new PIN, and the one that it replaces if that was given: sealed for `pin:<_id>`, absent when it has ended. */
  @Prop({ type: String }) pin?: Sealed;
  @Prop({ type: String }) old?: Sealed;
  @Prop({ type: String }) closedBy?: Cause;
  @Prop({ type: Object }) answer?: PinAnswer;

  @Prop({ type: Number, required: true }) version!: number;
  /** What its person has not been told yet. */
  @Prop({ type: [String], required: true }) untold!: PinTale[];
}

export const PinChangeSchema = SchemaFactory.createForClass(PinChangeRecord).index({ nextTryAt: 1 }, { sparse: true });

/** What drives it, beside the change itself. */
type Course = Driven & { _id: SmsId; version: number; untold: PinTale[]; pin?: Sealed; old?: Sealed };

/** What lies in the collection. */
export type StoredPinChange = Omit<PinChange, 'id' | 'origin'> & Course;

/** A change as it was read, with the version that the next one must name. */
export type ReadPinChange = PinChange & Course;

/** The change in a stored document. `waitsNoMore`: another has its place, whether that is stored here yet or not. */
export function pinChangeOf(
  stored: StoredPinChange,
  { waitsNoMore = false }: { waitsNoMore?: boolean | undefined } = {},
): ReadPinChange {
  const state = waitsNoMore && stored.state === 'waits' ? 'replaced' : stored.state;
  return { ...stored, id: stored._id, origin: 'pin', state } as ReadPinChange;
}
