import { runService } from '#libs/service';
import { settings } from './settings.ts';
import { TransactionsModule } from './transactions.module.ts';

void runService({ name: 'transactions', module: TransactionsModule, settings, needs: ['mongodb', 'nats'] });
