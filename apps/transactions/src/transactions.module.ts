import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { CodesService } from './codes.service.ts';
import { CommandsController } from './commands.controller.ts';
import { PaymentRecord, PaymentSchema } from './payment.schema.ts';
import { PaymentsService } from './payments.service.ts';
import { WrongCode, WrongCodeSchema } from './wrong-code.schema.ts';

@Module({
  imports: [
    MongooseModule.forFeature([
      { name: PaymentRecord.name, schema: PaymentSchema },
      { name: WrongCode.name, schema: WrongCodeSchema },
    ]),
  ],
  controllers: [CommandsController],
  providers: [PaymentsService, CodesService],
})
export class TransactionsModule {}
