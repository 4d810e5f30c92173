import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { CommandsController } from './commands.controller.ts';
import { PaymentRecord, PaymentSchema } from './payment.schema.ts';
import { PaymentsService } from './payments.service.ts';

@Module({
  imports: [MongooseModule.forFeature([{ name: PaymentRecord.name, schema: PaymentSchema }])],
  controllers: [CommandsController],
  providers: [PaymentsService],
})
export class TransactionsModule {}
