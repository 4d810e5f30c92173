import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { DeadLettersController } from './dead-letters.controller.ts';
import { DeadLettersService } from './dead-letters.service.ts';
import { DeliveryController } from './delivery.controller.ts';
import { ErasureService } from './erasure.service.ts';
import { InboundController } from './inbound.controller.ts';
import { InboundService } from './inbound.service.ts';
import { InboxMessage, InboxSchema } from './inbox.schema.ts';
import { NumberRecord, NumberSchema } from './number.schema.ts';
import { NumbersService } from './numbers.service.ts';
import { OutboundService } from './outbound.service.ts';
import { OutboxSchema, OutboxText } from './outbox.schema.ts';
import { Twilio } from './providers/twilio.ts';
import { MessagesController } from './messages.controller.ts';

@Module({
  imports: [
    MongooseModule.forFeature([
      { name: InboxMessage.name, schema: InboxSchema },
      { name: OutboxText.name, schema: OutboxSchema },
      { name: NumberRecord.name, schema: NumberSchema },
    ]),
  ],
  controllers: [InboundController, DeliveryController, MessagesController, DeadLettersController],
  providers: [InboundService, NumbersService, OutboundService, DeadLettersService, ErasureService, Twilio],
})
export class SmsGatewayModule {}
