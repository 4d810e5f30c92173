import { runService } from '#libs/service';
import { transactions } from './service.ts';

void runService(transactions);
