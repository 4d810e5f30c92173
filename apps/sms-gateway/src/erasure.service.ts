import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { Clock } from '#libs/nest-service';
import { Lifecycle, log } from '#libs/runtime';
import type { Model, QueryFilter, UpdateQuery } from 'mongoose';
import { InboxMessage } from './inbox.schema.ts';
import { OutboxText } from './outbox.schema.ts';
import { type Place, placeAfter } from './place.ts';

const DAY_MS = 24 * 3_600_000;
const KEPT_MS = 30 * DAY_MS;
const EVERY_MS = 3_600_000;
/** Documents that are found and erased at once. */
const AT_ONCE = 1_000;
/** So many pages of them one look reads of what 0.2.0 may have stored; and so many of what is open. */
const PAGES_MAX = 100;
const OPEN_MAX = 10_000;

/** When the text of what is stored now is erased. */
export const eraseAtOf = (storedAt: Date): Date => new Date(storedAt.getTime() + KEPT_MS);

/** What a text can be erased of. */
interface Erasable {
  _id: string;
  text?: unknown;
  eraseAt?: Date;
  nextTryAt?: Date | undefined;
}

type Stored = Erasable & { [storedAt in Box['storedAt']]?: Date };

interface Box {
  name: string;
  model: Model<Erasable>;
  storedAt: 'recordedAt' | 'createdAt';
  erased: Record<string, 1>;
  /** So far this process has looked for what 0.2.0 stored. */
  adopted?: Place;
}

/**
 * Texts are erased after 30 days, those of dead letters too; ids never, so that a repeat is known for ever (docs/design.md, "Secrets never reach
 * a log").
 */
@Injectable()
export class ErasureService implements OnModuleInit {
  private readonly boxes: readonly Box[];

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
    for (const box of this.boxes) {
      const { name, model, erased: fields } = box;
      await this.adopt(box, now);
      let erased = 0;
      for (let found = AT_ONCE; found === AT_ONCE;) {
        const due = await model
          .find({ eraseAt: { $lte: now } })
          .sort({ eraseAt: 1 })
          .limit(AT_ONCE)
          .select({ nextTryAt: 1 })
          .lean<Erasable[]>();
        found = due.length;
        // Asked again: a dead letter may be driven again meanwhile.
        const closed = {
          _id: { $in: due.filter(({ nextTryAt }) => !nextTryAt).map(({ _id }) => _id) },
          nextTryAt: { $exists: false },
        };
        const open = { _id: { $in: due.filter(({ nextTryAt }) => nextTryAt).map(({ _id }) => _id) } };
        erased += (await model.updateMany(closed, { $unset: { ...fields, eraseAt: 1 } } as UpdateQuery<Erasable>)).modifiedCount;
        await model.updateMany(open, { $set: { eraseAt: new Date(now.getTime() + DAY_MS) } } as UpdateQuery<Erasable>);
      }
      if (erased > 0) log.info({ box: name, erased }, 'old texts erased');
    }
  }

  /**
   * What 0.2.0 stored has no `eraseAt`, which it gets here, and is there for 30 days more at most; it may run beside this one still. Older than that
   * are only those that are open.
   */
  private async adopt(box: Box, now: Date): Promise<void> {
    const { model, storedAt } = box;
    const open = await model
      .find({ nextTryAt: { $exists: true } })
      .sort({ nextTryAt: 1 })
      .limit(OPEN_MAX)
      .select({ text: 1, eraseAt: 1, [storedAt]: 1 })
      .lean<Stored[]>();
    await this.giveTime(model, storedAt, open);
    let place = box.adopted ?? { since: new Date(now.getTime() - KEPT_MS - DAY_MS), skip: 0 };
    // What is as young as that may be stored a moment later under an earlier time.
    const before = new Date(now.getTime() - EVERY_MS);
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page = await model
        .find({ [storedAt]: { $gte: place.since, $lt: before } } as QueryFilter<Erasable>)
        .sort({ [storedAt]: 1 })
        .skip(place.skip)
        .limit(AT_ONCE)
        .select({ text: 1, eraseAt: 1, [storedAt]: 1 })
        .lean<Stored[]>();
      await this.giveTime(model, storedAt, page);
      place = placeAfter(
        place,
        page.map(({ [storedAt]: at = now }) => at),
      );
      if (page.length < AT_ONCE) break;
    }
    box.adopted = place;
  }

  private async giveTime(model: Model<Erasable>, storedAt: Box['storedAt'], found: Stored[]): Promise<void> {
    for (const { _id, text, eraseAt, [storedAt]: at } of found)
      if (at && text !== undefined && !eraseAt)
        await model.updateOne({ _id, eraseAt: { $exists: false } }, {
          $set: { eraseAt: eraseAtOf(at) },
        } as UpdateQuery<Erasable>);
  }
}
