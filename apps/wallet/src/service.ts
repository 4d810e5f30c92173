import type { Service } from '#libs/nest-service';
import { settings } from './settings.ts';
import { WalletModule } from './wallet.module.ts';

/** What is special about this service. */
export const wallet: Service<typeof settings> = {
  name: 'wallet',
  module: WalletModule,
  settings,
  needs: ['mongodb', 'nats', 'clock'],
};
