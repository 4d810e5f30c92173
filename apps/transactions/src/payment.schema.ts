import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type {
  Cause,
  Currency,
  Language,
  Link,
  MinorUnits,
  Msisdn,
  OpenRefusal,
  PaymentId,
  Ref,
  EndReason,
  WalletId,
} from '#libs/contracts';
import { type Driven, DrivenRecord } from '#libs/redrive';
import type { CodeDigits } from './domain/waiting-room.ts';
import type { NotOpened, Payment, Tale } from './domain/payment.ts';

@Schema({ _id: false })
class PersonRecord {
  @Prop({ type: String, required: true }) number!: Msisdn;
  @Prop({ type: String }) name?: string;
  @Prop({ type: String }) link?: Link;
  @Prop({ type: String }) walletId?: WalletId;
  @Prop({ type: String }) language?: Language;
}
const PersonSchema = SchemaFactory.createForClass(PersonRecord);

/** One payment or request, whole, or what could not be opened. Its id is that of the SMS that opened it. Changed only by version. Minor units. */
@Schema({ collection: 'payments', versionKey: false, strict: 'throw' })
export class PaymentRecord extends DrivenRecord {
  @Prop({ type: String }) _id!: PaymentId;
  @Prop({ type: String, required: true }) state!: Payment['state'] | NotOpened['state'];
  @Prop({ type: String, required: true }) origin!: Payment['origin'];
  @Prop({ type: String, required: true }) currency!: Currency;
  @Prop({ type: BigInt, required: true }) amount!: MinorUnits;
  @Prop({ type: BigInt, required: true }) fee!: MinorUnits;
  @Prop({ type: Date, required: true }) openedAt!: Date;

  @Prop({ type: Number }) ref?: Ref;
  @Prop({ type: String }) way?: Payment['way'];
  @Prop({ type: PersonSchema }) payer?: PersonRecord;
  @Prop({ type: PersonSchema }) payee?: PersonRecord;
  @Prop({ type: String }) memo?: string;
  @Prop({ type: Date }) dropAt?: Date;
  @Prop({ type: Date }) endsAt?: Date;
  @Prop({ type: Date }) refuseAt?: Date;
  @Prop({ type: Number }) codeDigits?: CodeDigits;
  @Prop({ type: Number }) codeN?: number;
  /** Whoever asks for it, until it is closed. */
  @Prop({ type: String }) asker?: Msisdn;
  @Prop({ type: BigInt }) payerBalance?: bigint;
  @Prop({ type: BigInt }) payeeBalance?: bigint;
  @Prop({ type: Date }) paidAt?: Date;
  @Prop({ type: String }) reason?: EndReason | OpenRefusal;
  @Prop({ type: String }) closedBy?: Cause;

  @Prop({ type: PersonSchema }) opener?: PersonRecord;
  @Prop({ type: PersonSchema }) other?: PersonRecord;
  @Prop({ type: BigInt }) balance?: bigint;

  @Prop({ type: Number, required: true }) version!: number;
  /** What its people have not been told yet. */
  @Prop({ type: [String], required: true }) untold!: Tale[];
}

export const PaymentSchema = SchemaFactory.createForClass(PaymentRecord)
  .index({ ref: 1 }, { unique: true, sparse: true })
  .index({ 'payer.number': 1, endsAt: 1 })
  .index({ asker: 1, endsAt: 1 }, { sparse: true })
  .index({ nextTryAt: 1 }, { sparse: true });

/** What drives a payment, beside the payment itself. */
type Course = Driven & { _id: PaymentId; version: number; untold: Tale[]; asker?: Msisdn };

/** What lies in the collection. */
export type StoredPayment = (Omit<Payment, 'id'> | Omit<NotOpened, 'id'>) & Course;

/** A payment as it was read, with the version that a change of it must name. */
export type ReadPayment = Payment & Course;

/** The payment in a stored document. */
export function paymentOf(stored: StoredPayment): ReadPayment | (NotOpened & Course) {
  return { ...stored, id: stored._id } as ReadPayment | (NotOpened & Course);
}
