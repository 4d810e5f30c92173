import { Inject, Injectable } from '@nestjs/common';
import { type Event, type QueuedText, QueueTexts, type ResponseOf, type Tell } from '#libs/contracts';
import { RpcClient } from '#libs/messaging';
import { SETTINGS } from '#libs/nest-service';
import { crashPoint, DataKeys, Host, Secret } from '#libs/runtime';
import { renderText } from './domain/render.ts';
import type { Settings } from './settings.ts';

/** Turns events into texts, each in its reader's language, and hands them to the gateway's outbox. */
@Injectable()
export class TextsService {
  private readonly dataKeys: DataKeys;

  constructor(
    private readonly rpc: RpcClient,
    host: Host,
    @Inject(SETTINGS) settings: Settings,
  ) {
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
  }

  async tell(events: Event[]): Promise<ResponseOf<typeof Tell>> {
    const texts = events.map((event) => this.textOf(event));
    crashPoint('notifications: before texts are queued');
    await this.rpc.ask(QueueTexts, { texts });
    crashPoint('notifications: texts queued');
    return {};
  }

  private textOf(event: Event): QueuedText {
    const { id: eventId, to, currency, dropAt, sendFrom, message, answers } = event;
    const id = `${eventId}:${to.number}`;
    const text = renderText(message, to.language, currency, (code) => this.dataKeys.unseal(code, `code:${eventId}`).reveal());
    return {
      id,
      to: to.number,
      language: to.language,
      text: this.dataKeys.seal(new Secret(text), `text:${id}`),
      told: { message, currency, ...(answers ? { answers } : {}) },
      carriesCode: dropAt !== undefined,
      ...(to.link ? { link: to.link } : {}),
      ...(sendFrom ? { from: sendFrom } : {}),
      ...(dropAt ? { dropAt } : {}),
    };
  }
}
