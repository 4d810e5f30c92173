import { runService } from '#libs/service';
import { NotificationsModule } from './notifications.module.ts';
import { settings } from './settings.ts';

void runService({ name: 'notifications', module: NotificationsModule, settings, needs: ['nats'] });
