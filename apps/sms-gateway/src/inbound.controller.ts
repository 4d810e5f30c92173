import { BadRequestException, Body, Controller, Header, HttpCode, Post, UseGuards } from '@nestjs/common';
import { SmsId } from '#libs/contracts';
import { DatabaseReadyGuard } from '#libs/service';
import { z } from 'zod';
import { InboundService } from './inbound.service.ts';
import { TwilioSignatureGuard } from './twilio-signature.guard.ts';

/** The fields we read of Twilio's form post (twilio.com/docs/messaging/guides/webhook-request). */
const InboundSms = z.object({
  MessageSid: SmsId,
  From: z.string().max(100),
  To: z.string().max(100),
  Body: z.string().max(10_000).default(''),
  NumMedia: z.coerce.number().int().min(0).catch(0),
});
export type InboundSms = z.output<typeof InboundSms>;

const EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>';

@Controller('sms')
@UseGuards(TwilioSignatureGuard, DatabaseReadyGuard)
export class InboundController {
  constructor(private readonly inbound: InboundService) {}

  /** 200 means: the inbox has it. Anything else makes Twilio post it once more. */
  @Post('inbound')
  @HttpCode(200)
  @Header('Content-Type', 'text/xml; charset=utf-8')
  async receive(@Body() form: unknown): Promise<string> {
    const sms = InboundSms.safeParse(form);
    if (!sms.success) throw new BadRequestException(sms.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
    await this.inbound.take(sms.data);
    return EMPTY_TWIML;
  }
}
