import type { Service } from '#libs/nest-service';
import { NotificationsModule } from './notifications.module.ts';
import { settings } from './settings.ts';

/** What is special about this service. */
export const notifications: Service<typeof settings> = {
  name: 'notifications',
  module: NotificationsModule,
  settings,
  needs: ['nats'],
};
