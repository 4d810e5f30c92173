import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { PinAnswer, SmsId, WalletId } from '#libs/contracts';
import type { PinInput, PinTries } from './domain/pin.ts';

/** A PIN as it is kept: argon2id under a pepper, with all that it was made with. */
@Schema({ _id: false })
export class PinHash {
  /** 32 bytes, base64. */
  @Prop({ type: String, required: true }) tag!: string;
  /** 16 bytes, base64. */
  @Prop({ type: String, required: true }) salt!: string;
  /** The id of the pepper in `PIN_PEPPER`. */
  @Prop({ type: String, required: true }) pepper!: string;
  @Prop({ type: Number, required: true }) memoryKiB!: number;
  @Prop({ type: Number, required: true }) passes!: number;
  @Prop({ type: Number, required: true }) parallelism!: number;
}
const PinHashSchema = SchemaFactory.createForClass(PinHash);

@Schema({ _id: false })
class PinInputRecord implements PinInput {
  @Prop({ type: String, required: true }) id!: SmsId;
  @Prop({ type: Date, required: true }) at!: Date;
  @Prop({ type: Object, required: true }) answer!: PinAnswer;
}
const PinInputSchema = SchemaFactory.createForClass(PinInputRecord);

/**
 * The PIN of one wallet, whole: what it is, how often it was wrong, what was answered to whom. So one conditional write decides whether an input
 * counts. Changed only by version.
 */
@Schema({ collection: 'pins', versionKey: false, strict: 'throw' })
export class PinRecord implements PinTries {
  @Prop({ type: String }) _id!: WalletId;
  @Prop({ type: Number, required: true }) version!: number;
  /** Absent while there is no PIN. */
  @Prop({ type: PinHashSchema }) hash?: PinHash;
  @Prop({ type: Number, required: true }) wrong!: number;
  @Prop({ type: Date }) lockedUntil?: Date;
  @Prop({ type: [PinInputSchema], required: true }) inputs!: readonly PinInput[];
}

export const PinSchema = SchemaFactory.createForClass(PinRecord);
