import { Controller } from '@nestjs/common';
import { type RequestOf, SetPin } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { PinsService } from './pins.service.ts';

@Controller()
export class PinsController {
  constructor(private readonly pins: PinsService) {}

  /** Answering means: the wallet holds this answer under the input's id, and it counts once. */
  @Answers(SetPin)
  set(request: RequestOf<typeof SetPin>) {
    return this.pins.set(request);
  }
}
