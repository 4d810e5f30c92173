import { Controller } from '@nestjs/common';
import { CarryOut, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { PaymentsService } from './payments.service.ts';

@Controller()
export class CommandsController {
  constructor(private readonly payments: PaymentsService) {}

  /** Answering `taken` means: stored here, and told from here, whatever happens next. */
  @Answers(CarryOut)
  carryOut(request: RequestOf<typeof CarryOut>) {
    return this.payments.carryOut(request);
  }
}
