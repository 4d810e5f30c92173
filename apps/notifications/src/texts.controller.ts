import { Controller } from '@nestjs/common';
import { type RequestOf, Tell } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { TextsService } from './texts.service.ts';

@Controller()
export class TextsController {
  constructor(private readonly texts: TextsService) {}

  /** Answering means: the gateway's outbox holds the texts. Throwing means: ask again later. */
  @Answers(Tell)
  tell({ events }: RequestOf<typeof Tell>) {
    return this.texts.tell(events);
  }
}
