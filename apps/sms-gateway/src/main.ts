import { runService } from '#libs/nest-service';
import { smsGateway } from './service.ts';

void runService(smsGateway);
