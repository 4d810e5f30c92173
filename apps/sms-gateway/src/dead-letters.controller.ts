import { Controller } from '@nestjs/common';
import { DismissDeadLetters, ListDeadLetters, ReplayDeadLetters, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { DeadLettersService } from './dead-letters.service.ts';

@Controller()
export class DeadLettersController {
  constructor(private readonly letters: DeadLettersService) {}

  @Answers(ListDeadLetters)
  list(page: RequestOf<typeof ListDeadLetters>) {
    return this.letters.list(page);
  }

  @Answers(ReplayDeadLetters)
  replay(which: RequestOf<typeof ReplayDeadLetters>) {
    return this.letters.replay(which);
  }

  @Answers(DismissDeadLetters)
  dismiss(which: RequestOf<typeof DismissDeadLetters>) {
    return this.letters.dismiss(which);
  }
}
