import { Controller } from '@nestjs/common';
import { LookForOpenSms, QueueTexts, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { InboundService } from './inbound.service.ts';
import { OutboundService } from './outbound.service.ts';

/** What other services ask of the messages that come in and go out. */
@Controller()
export class MessagesController {
  constructor(
    private readonly inbound: InboundService,
    private readonly outbound: OutboundService,
  ) {}

  @Answers(QueueTexts)
  queue({ texts }: RequestOf<typeof QueueTexts>) {
    return this.outbound.queue(texts);
  }

  @Answers(LookForOpenSms)
  async lookForOpenSms({ number, since, before }: RequestOf<typeof LookForOpenSms>) {
    return { found: await this.inbound.hasNoOutcome(number, since, before) };
  }
}
