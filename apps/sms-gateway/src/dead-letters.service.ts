import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { ListDeadLetters, ReplayDeadLetter, ResponseOf } from '#libs/contracts';
import type { Driven } from '#libs/messaging';
import { Host, Metrics } from '#libs/service';
import type { Model } from 'mongoose';
import { InboxMessage } from './inbox.schema.ts';
import { OutboxText } from './outbox.schema.ts';

type What = ResponseOf<typeof ListDeadLetters>['letters'][number]['what'];

/** What was given up after its counted tries, for an operator to look at and drive again. */
@Injectable()
export class DeadLettersService {
  private readonly collections: Record<What, Model<Driven>>;

  constructor(
    @InjectModel(InboxMessage.name) inbox: Model<Driven>,
    @InjectModel(OutboxText.name) outbox: Model<Driven>,
    private readonly host: Host,
    metrics: Metrics,
  ) {
    this.collections = { inbox, outbox };
    metrics.gauge('smspay_dead_letters', 'Documents given up that no operator has replayed yet', () => this.count(), 'what');
  }

  private async count(): Promise<Record<What | 'refused', number>> {
    const dead = { 'dead.at': { $exists: true } };
    // A number that is gone, or a person who wants no texts: nothing that an operator could mend.
    const refused = { ...dead, state: 'failed' };
    const [inbox, outbox, never] = await Promise.all([
      this.collections.inbox.countDocuments(dead),
      this.collections.outbox.countDocuments(dead),
      this.collections.outbox.countDocuments(refused),
    ]);
    return { inbox, outbox: outbox - never, refused: never };
  }

  async list(limit: number): Promise<ResponseOf<typeof ListDeadLetters>> {
    const kinds = Object.entries(this.collections) as [What, Model<Driven>][];
    const letters = await Promise.all(
      kinds.map(async ([what, model]) => {
        const dead = await model
          .find({ 'dead.at': { $exists: true } })
          .limit(limit)
          .lean<Driven[]>();
        return dead.map(({ _id: id, tries, dead: letter }) => ({
          what,
          id,
          tries,
          reason: letter?.reason ?? '',
          since: letter?.at ?? new Date(0),
        }));
      }),
    );
    return { letters: letters.flat().slice(0, limit) };
  }

  async replay(what: What, id: string): Promise<ResponseOf<typeof ReplayDeadLetter>> {
    const { modifiedCount } = await this.collections[what].updateOne(
      { _id: id, 'dead.at': { $exists: true } },
      { $set: { nextTryAt: this.host.now(), tries: 0, waits: 0 }, $unset: { dead: 1 } },
    );
    return { result: modifiedCount === 1 ? 'replayed' : 'not_found' };
  }
}
