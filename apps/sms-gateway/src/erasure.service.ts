import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { Clock } from '#libs/nest-service';
import { Lifecycle, log } from '#libs/runtime';
import type { Model, QueryFilter, UpdateQuery } from 'mongoose';
import { InboxMessage } from './inbox.schema.ts';
import { OutboxText } from './outbox.schema.ts';

const DAY_MS = 24 * 3_600_000;
const KEPT_MS = 30 * DAY_MS;
const EVERY_MS = 3_600_000;
/** Documents that one look may find. */
const AT_ONCE = 1_000;

/** When the text of what is stored now is erased. */
export const eraseAtOf = (storedAt: Date): Date => new Date(storedAt.getTime() + KEPT_MS);

/** What a text can be erased of. */
interface Erasable {
  _id: string;
  text?: unknown;
  eraseAt?: Date;
  nextTryAt?: Date | undefined;
}

/**
 * Texts are erased after 30 days, those of dead letters too; ids never, so that a repeat is known for ever (docs/design.md, "Secrets never reach
 * a log").
 */
@Injectable()
export class ErasureService implements OnModuleInit {
  private readonly boxes: readonly { name: string; model: Model<Erasable>; storedAt: string; erased: Record<string, 1> }[];

  constructor(
    @InjectModel(InboxMessage.name) inbox: Model<InboxMessage>,
    @InjectModel(OutboxText.name) outbox: Model<OutboxText>,
    private readonly lifecycle: Lifecycle,
    private readonly clock: Clock,
  ) {
    this.boxes = [
      { name: 'inbox', model: inbox as unknown as Model<Erasable>, storedAt: 'recordedAt', erased: { text: 1 } },
      { name: 'outbox', model: outbox as unknown as Model<Erasable>, storedAt: 'createdAt', erased: { text: 1, told: 1 } },
    ];
  }

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
    for (const { name, model, storedAt, erased: fields } of this.boxes) {
      await this.adopt(model, storedAt, now);
      let erased = 0;
      for (let found = AT_ONCE; found === AT_ONCE;) {
        const due = await model
          .find({ eraseAt: { $lte: now } })
          .sort({ eraseAt: 1 })
          .limit(AT_ONCE)
          .select({ nextTryAt: 1 })
          .lean<Erasable[]>();
        found = due.length;
        const closed = { _id: { $in: due.filter(({ nextTryAt }) => !nextTryAt).map(({ _id }) => _id) } };
        const open = { _id: { $in: due.filter(({ nextTryAt }) => nextTryAt).map(({ _id }) => _id) } };
        erased += (await model.updateMany(closed, { $unset: { ...fields, eraseAt: 1 } } as UpdateQuery<Erasable>)).modifiedCount;
        await model.updateMany(open, { $set: { eraseAt: new Date(now.getTime() + DAY_MS) } } as UpdateQuery<Erasable>);
      }
      if (erased > 0) log.info({ box: name, erased }, 'old texts erased');
    }
  }

  // What 0.2.0 stored has no `eraseAt`, and is there for 30 days more at most.
  private async adopt(model: Model<Erasable>, storedAt: string, now: Date): Promise<void> {
    let after = new Date(now.getTime() - KEPT_MS - DAY_MS);
    for (;;) {
      const page = await model
        .find({ [storedAt]: { $gt: after } } as QueryFilter<Erasable>)
        .sort({ [storedAt]: 1 })
        .limit(AT_ONCE)
        .select({ text: 1, eraseAt: 1, [storedAt]: 1 })
        .lean<(Erasable & Record<string, Date>)[]>();
      const without = page.filter(({ text, eraseAt }) => text !== undefined && !eraseAt);
      for (const { _id, [storedAt]: at = now } of without)
        await model.updateOne({ _id }, { $set: { eraseAt: eraseAtOf(at) } } as UpdateQuery<Erasable>);
      const last = page.at(-1)?.[storedAt];
      if (!last || without.length === 0) return;
      after = last;
    }
  }
}
