import { runService } from '#libs/service';
import { wallet } from './service.ts';

void runService(wallet);
