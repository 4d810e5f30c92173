import { Controller } from '@nestjs/common';
import { FundWallet, OpenWallet, QuoteTransfer, ReadBalance, ReadStatement, type RequestOf } from '#libs/contracts';
import { Answers } from '#libs/messaging';
import { WalletsService } from './wallets.service.ts';

@Controller()
export class WalletsController {
  constructor(private readonly wallets: WalletsService) {}

  /** Answering means: the wallet is there, with its welcome credit. */
  @Answers(OpenWallet)
  open(request: RequestOf<typeof OpenWallet>) {
    return this.wallets.open(request);
  }

  @Answers(ReadBalance)
  balance(request: RequestOf<typeof ReadBalance>) {
    return this.wallets.balance(request);
  }

  @Answers(ReadStatement)
  statement(request: RequestOf<typeof ReadStatement>) {
    return this.wallets.statement(request);
  }

  @Answers(QuoteTransfer)
  quote(request: RequestOf<typeof QuoteTransfer>) {
    return this.wallets.quote(request);
  }

  /** Answering means: the ledger holds this answer, for ever. */
  @Answers(FundWallet)
  fund(request: RequestOf<typeof FundWallet>) {
    return this.wallets.fund(request);
  }
}
