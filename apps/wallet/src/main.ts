import { runService } from '#libs/nest-service';
import { wallet } from './service.ts';

void runService(wallet);
