import { Body, Controller, Header, HttpCode, Post, StandardSchemaValidationPipe, UseGuards } from '@nestjs/common';
import { DatabaseReadyGuard } from '#libs/nest-service';
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
  async receive(@Body({ schema: InboundSms, pipes: [StandardSchemaValidationPipe] }) sms: InboundSms): Promise<string> {
    await this.inbound.take(sms);
    return EMPTY_TWIML;
  }
}
