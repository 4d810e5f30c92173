import { runService } from '#libs/nest-service';
import { notifications } from './service.ts';

void runService(notifications);
