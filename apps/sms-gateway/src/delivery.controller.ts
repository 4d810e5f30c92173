import { BadRequestException, Body, Controller, HttpCode, Post, Query, UseGuards } from '@nestjs/common';
import { DatabaseReadyGuard } from '#libs/service';
import { z } from 'zod';
import { OutboundService } from './outbound.service.ts';
import { TwilioSignatureGuard } from './twilio-signature.guard.ts';

/** The fields we read of a status callback (twilio.com/docs/messaging/guides/track-outbound-message-status). */
const DeliveryReport = z.object({
  MessageSid: z.string().regex(/^\w{1,64}$/),
  MessageStatus: z.string().max(40),
  ErrorCode: z.coerce.number().int().optional().catch(undefined),
});
export type DeliveryReport = z.output<typeof DeliveryReport>;

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
