import { runService } from '#libs/service';
import { notifications } from './service.ts';

void runService(notifications);
