import { Controller } from '@nestjs/common';
import { MakeTransfer, ReadLedger, RefuseTransfer, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { LedgerReader } from './ledger-reader.service.ts';
import { LedgerService } from './ledger.service.ts';

@Controller()
export class TransfersController {
  constructor(
    private readonly ledger: LedgerService,
    private readonly reader: LedgerReader,
  ) {}

  /** Answering means: the ledger holds this answer, for ever. */
  @Answers(MakeTransfer)
  make(order: RequestOf<typeof MakeTransfer>) {
    return this.ledger.make(order);
  }

  /** Answering means: the ledger holds this answer, for ever. */
  @Answers(RefuseTransfer)
  refuse({ transferId, reason, cause, payer }: RequestOf<typeof RefuseTransfer>) {
    return this.ledger.refuse(transferId, reason, cause, payer);
  }

  @Answers(ReadLedger)
  read(page: RequestOf<typeof ReadLedger>) {
    return this.reader.read(page);
  }
}
