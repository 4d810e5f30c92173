import { runService } from '#libs/service';
import { settings } from './settings.ts';
import { SmsGatewayModule } from './sms-gateway.module.ts';

// It takes SMS while NATS is away (F14).
void runService({ name: 'sms-gateway', module: SmsGatewayModule, settings, needs: ['mongodb'] });
