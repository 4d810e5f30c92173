import type { Service } from '#libs/nest-service';
import { TwilioHttp, twilioHttp } from './providers/twilio.ts';
import { settings } from './settings.ts';
import { SmsGatewayModule } from './sms-gateway.module.ts';

/** What is special about this service. */
export const smsGateway: Service<typeof settings> = {
  name: 'sms-gateway',
  module: SmsGatewayModule,
  settings,
  // It takes SMS while NATS is away (docs/reliability.md, F14), and whatever its clock says: to take decides nothing.
  needs: ['mongodb'],
  outside: (read) => [{ provide: TwilioHttp, useValue: twilioHttp(read) }],
};
