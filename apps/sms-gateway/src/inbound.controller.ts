import { BadRequestException, Body, Controller, Header, HttpCode, Post, UseGuards } from '@nestjs/common';
import { DatabaseReadyGuard } from '#libs/service';
import { InboundService } from './inbound.service.ts';
import { InboundSms } from './twilio-forms.ts';
import { TwilioSignatureGuard } from './twilio-signature.guard.ts';

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
