import { runService } from '#libs/service';
import { settings } from './settings.ts';
import { WalletModule } from './wallet.module.ts';

void runService({ name: 'wallet', module: WalletModule, settings, needs: ['mongodb', 'nats'] });
