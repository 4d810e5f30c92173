import { Prop, Schema } from '@nestjs/mongoose';
import type { Driven } from './redrive.ts';

/** The fields of `Driven` for the schema of what is driven: extend it, and give `nextTryAt` a sparse index, and `dead.at` where it gives up. */
@Schema()
export class DrivenRecord implements Omit<Driven, '_id'> {
  @Prop({ type: Date }) nextTryAt?: Date;
  @Prop({ type: String }) claim?: string;
  @Prop({ type: Number, required: true }) tries!: number;
  @Prop({ type: Number }) waits?: number;
  @Prop({ type: Date }) failingSince?: Date;
  @Prop({ type: Object }) dead?: { reason: string; at: Date };
  @Prop({ type: String }) traceparent?: string;
}
