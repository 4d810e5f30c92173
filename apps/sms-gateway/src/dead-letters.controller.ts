import { Controller } from '@nestjs/common';
import { ListDeadLetters, ReplayDeadLetter, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { DeadLettersService } from './dead-letters.service.ts';

@Controller()
export class DeadLettersController {
  constructor(private readonly letters: DeadLettersService) {}

  @Answers(ListDeadLetters)
  list({ limit }: RequestOf<typeof ListDeadLetters>) {
    return this.letters.list(limit);
  }

  @Answers(ReplayDeadLetter)
  replay({ what, id }: RequestOf<typeof ReplayDeadLetter>) {
    return this.letters.replay(what, id);
  }
}
