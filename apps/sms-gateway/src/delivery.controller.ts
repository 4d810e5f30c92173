import { BadRequestException, Body, Controller, HttpCode, Post, Query, UseGuards } from '@nestjs/common';
import { DatabaseReadyGuard } from '#libs/service';
import { OutboundService } from './outbound.service.ts';
import { DeliveryReport } from './twilio-forms.ts';
import { TwilioSignatureGuard } from './twilio-signature.guard.ts';

@Controller('sms')
@UseGuards(TwilioSignatureGuard, DatabaseReadyGuard)
export class DeliveryController {
  constructor(private readonly outbound: OutboundService) {}

  /** Delivery reports, in any order, even before the send call returned. One for a text we do not know changes nothing. */
  @Post('status')
  @HttpCode(204)
  async report(@Query('text') callbackId: unknown, @Body() form: unknown): Promise<void> {
    const report = DeliveryReport.safeParse(form);
    if (!report.success)
      throw new BadRequestException(report.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
    if (typeof callbackId === 'string') await this.outbound.report(callbackId, report.data);
  }
}
