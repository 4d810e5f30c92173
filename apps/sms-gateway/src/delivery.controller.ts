import { Body, Controller, HttpCode, Post, Query, StandardSchemaValidationPipe, UseGuards } from '@nestjs/common';
import { DatabaseReadyGuard } from '#libs/nest-service';
import { OutboundService } from './outbound.service.ts';
import { CallbackQuery, DeliveryReport } from './twilio-forms.ts';
import { TwilioSignatureGuard } from './twilio-signature.guard.ts';

const pipes = [StandardSchemaValidationPipe];

@Controller('sms')
@UseGuards(TwilioSignatureGuard, DatabaseReadyGuard)
export class DeliveryController {
  constructor(private readonly outbound: OutboundService) {}

  /** Delivery reports, in any order, even before the send call returned. One for a text we do not know changes nothing. */
  @Post('status')
  @HttpCode(204)
  async report(
    @Query({ schema: CallbackQuery, pipes }) { text }: CallbackQuery,
    @Body({ schema: DeliveryReport, pipes }) report: DeliveryReport,
  ): Promise<void> {
    if (text) await this.outbound.report(text, report);
  }
}
