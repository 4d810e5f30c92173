import { runService } from '#libs/service';
import { smsGateway } from './service.ts';

void runService(smsGateway);
