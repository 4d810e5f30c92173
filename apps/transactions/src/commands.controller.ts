import { Controller } from '@nestjs/common';
import { CarryOut, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { CommandsService } from './commands.service.ts';

@Controller()
export class CommandsController {
  constructor(private readonly commands: CommandsService) {}

  /** Answering `taken` means: stored here, and told from here, whatever happens next. */
  @Answers(CarryOut)
  carryOut(request: RequestOf<typeof CarryOut>) {
    return this.commands.carryOut(request);
  }
}
