import { Module } from '@nestjs/common';
import { TextsController } from './texts.controller.ts';
import { TextsService } from './texts.service.ts';

@Module({ controllers: [TextsController], providers: [TextsService] })
export class NotificationsModule {}
