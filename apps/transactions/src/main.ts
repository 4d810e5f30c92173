import { runService } from '#libs/nest-service';
import { transactions } from './service.ts';

void runService(transactions);
