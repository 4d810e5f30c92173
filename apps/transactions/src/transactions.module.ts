import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { CodesService } from './codes.service.ts';
import { CommandsController } from './commands.controller.ts';
import { PaymentRecord, PaymentSchema } from './payment.schema.ts';
import { CommandsService } from './commands.service.ts';
import { OpeningsService } from './openings.service.ts';
import { PaymentsService } from './payments.service.ts';
import { PinChangeRecord, PinChangeSchema } from './pin-change.schema.ts';
import { PinsService } from './pins.service.ts';
import { WaitingRoomRecord, WaitingRoomSchema } from './waiting-room.schema.ts';

@Module({
  imports: [
    MongooseModule.forFeature([
      { name: PaymentRecord.name, schema: PaymentSchema },
      { name: PinChangeRecord.name, schema: PinChangeSchema },
      { name: WaitingRoomRecord.name, schema: WaitingRoomSchema },
    ]),
  ],
  controllers: [CommandsController],
  providers: [CommandsService, OpeningsService, PaymentsService, PinsService, CodesService],
})
export class TransactionsModule {}
