import { Controller } from '@nestjs/common';
import { QueueTexts, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { OutboundService } from './outbound.service.ts';

@Controller()
export class TextsController {
  constructor(private readonly outbound: OutboundService) {}

  @Answers(QueueTexts)
  queue({ texts }: RequestOf<typeof QueueTexts>) {
    return this.outbound.queue(texts);
  }
}
