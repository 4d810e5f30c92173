import type { Service } from '#libs/nest-service';
import { settings } from './settings.ts';
import { TransactionsModule } from './transactions.module.ts';

/** What is special about this service. */
export const transactions: Service<typeof settings> = {
  name: 'transactions',
  module: TransactionsModule,
  settings,
  needs: ['mongodb', 'nats', 'clock'],
};
