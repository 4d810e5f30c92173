import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { ChainsService } from './chains.service.ts';
import { LedgerReader } from './ledger-reader.service.ts';
import { LedgerService } from './ledger.service.ts';
import { LinkRecord, LinkSchema } from './link.schema.ts';
import { PinHashes } from './pin-hashes.ts';
import { PinRecord, PinSchema } from './pin.schema.ts';
import { PinsController } from './pins.controller.ts';
import { PinsService } from './pins.service.ts';
import { Transfer, TransferSchema } from './transfer.schema.ts';
import { TransfersController } from './transfers.controller.ts';
import { Wallet, WalletSchema } from './wallet.schema.ts';
import { WalletsController } from './wallets.controller.ts';
import { WalletsService } from './wallets.service.ts';

@Module({
  imports: [
    MongooseModule.forFeature([
      { name: Transfer.name, schema: TransferSchema },
      { name: Wallet.name, schema: WalletSchema },
      { name: LinkRecord.name, schema: LinkSchema },
      { name: PinRecord.name, schema: PinSchema },
    ]),
  ],
  controllers: [TransfersController, WalletsController, PinsController],
  providers: [ChainsService, LedgerService, LedgerReader, WalletsService, PinHashes, PinsService],
})
export class WalletModule {}
