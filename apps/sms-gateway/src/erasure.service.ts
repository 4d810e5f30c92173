import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { Clock } from '#libs/nest-service';
import { Lifecycle, log } from '#libs/runtime';
import type { Model } from 'mongoose';
import { InboxMessage } from './inbox.schema.ts';
import { OutboxText } from './outbox.schema.ts';

const KEPT_MS = 30 * 24 * 3_600_000;
const EVERY_MS = 3_600_000;

/** Texts are erased after 30 days; ids never, so that a repeat is known for ever (docs/design.md, "Secrets never reach a log"). */
@Injectable()
export class ErasureService implements OnModuleInit {
  constructor(
    @InjectModel(InboxMessage.name) private readonly inbox: Model<InboxMessage>,
    @InjectModel(OutboxText.name) private readonly outbox: Model<OutboxText>,
    private readonly lifecycle: Lifecycle,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.lifecycle.repeat(
      () => EVERY_MS,
      () => {
        if (this.clock.good) this.lifecycle.track(this.erase(this.clock.now()));
      },
    );
  }

  /** Erases what is older than 30 days and has nothing left to be done for it. Safe to run by several processes. */
  async erase(now: Date): Promise<void> {
    const before = { $lt: new Date(now.getTime() - KEPT_MS) };
    const old = { text: { $exists: true }, nextTryAt: { $exists: false } };
    const inbox = await this.inbox.updateMany({ recordedAt: before, ...old }, { $unset: { text: 1 } });
    const outbox = await this.outbox.updateMany({ createdAt: before, ...old }, { $unset: { text: 1 } });
    log.info({ inbox: inbox.modifiedCount, outbox: outbox.modifiedCount }, 'old texts erased');
  }
}
