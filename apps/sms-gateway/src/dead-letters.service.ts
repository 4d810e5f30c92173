import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { LetterBox, ListDeadLetters, ReplayDeadLetters, RequestOf, ResponseOf, WhichLetters } from '#libs/contracts';
import { type Driven } from '#libs/redrive';
import { log, masked, maskNumbers, Metrics } from '#libs/runtime';
import { Clock } from '#libs/nest-service';
import type { Model, QueryFilter, UpdateQuery } from 'mongoose';
import { InboxMessage } from './inbox.schema.ts';
import { namesOf, OutboxText } from './outbox.schema.ts';

/** As many are moved by one question. */
const AT_ONCE = 200;
const COUNTED_MAX = 10_000;
/** By what operators name them. */
const ID: Record<LetterBox, string> = { inbox: '_id', outbox: 'callbackId' };
/** Texts that the provider refused for good. */
const REFUSED = { is: { state: 'failed' }, not: { state: { $ne: 'failed' } } };

type Letter = Driven & (InboxMessage | OutboxText);
type Done = ResponseOf<typeof ReplayDeadLetters>;

/** What was given up after its counted tries, for an operator to look at, drive again or put away. */
@Injectable()
export class DeadLettersService {
  private readonly boxes: Record<LetterBox, Model<Letter>>;

  constructor(
    @InjectModel(InboxMessage.name) inbox: Model<Letter>,
    @InjectModel(OutboxText.name) outbox: Model<Letter>,
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    this.boxes = { inbox, outbox };
    metrics.gauge('smspay_dead_letters', 'Documents given up that no operator has seen to yet', () => this.count(), 'what');
  }

  private async count(): Promise<Record<LetterBox | 'refused', number>> {
    const [inbox, outbox] = await Promise.all([this.countByState('inbox'), this.countByState('outbox')]);
    const all = (counts: Map<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);
    // A number that is gone, or a person who wants no texts: nothing that an operator could mend.
    const refused = outbox.get('failed') ?? 0;
    return { inbox: all(inbox), outbox: all(outbox) - refused, refused };
  }

  /** Of the newest: of more than that nobody needs the number. */
  private async countByState(box: LetterBox): Promise<Map<string, number>> {
    const counts = await this.boxes[box].aggregate<{ _id: string | null; count: number }>([
      { $match: { 'dead.at': { $exists: true } } },
      { $sort: { 'dead.at': -1 } },
      { $limit: COUNTED_MAX },
      { $group: { _id: '$state', count: { $sum: 1 } } },
    ]);
    return new Map(counts.map(({ _id, count }) => [_id ?? '', Number(count)]));
  }

  async list({ since, skip, limit, ...which }: RequestOf<typeof ListDeadLetters>): Promise<ResponseOf<typeof ListDeadLetters>> {
    const letters = await this.find(filterOf(which, since), which.box, limit, skip);
    return { letters: letters.map(viewOf) };
  }

  /** Makes them due. What the provider refused for good begins anew; what it may have taken is looked for in its list first. */
  async replay(which: WhichLetters): Promise<Done> {
    const again = { $set: { tries: 0, waits: 0, nextTryAt: this.clock.now() }, $unset: { dead: 1, failingSince: 1, claim: 1 } };
    if (which.box === 'inbox') return this.move('replayed', which.box, filterOf(which), [[{}, again]]);
    const refusedToo = which.ids !== undefined || which.reason !== undefined;
    return this.move('replayed', which.box, { ...filterOf(which), ...(refusedToo ? {} : REFUSED.not) }, [
      [REFUSED.is, { ...again, $set: { ...again.$set, state: 'queued' } }],
      [REFUSED.not, again],
    ]);
  }

  /** Their end is that an operator put them away. */
  async dismiss(which: WhichLetters): Promise<Done> {
    const forget = { $unset: { dead: 1, failingSince: 1, claim: 1, nextTryAt: 1 } };
    if (which.box === 'inbox')
      return this.move('dismissed', which.box, filterOf(which), [[{}, { ...forget, $set: { outcome: 'dismissed' } }]]);
    return this.move('dismissed', which.box, filterOf(which), [
      [REFUSED.is, forget],
      [REFUSED.not, { ...forget, $set: { state: 'dropped' } }],
    ]);
  }

  /** Changes a part of those that fit; whatever becomes of them meanwhile, only dead letters are changed. */
  private async move(
    done: string,
    box: LetterBox,
    filter: QueryFilter<Letter>,
    changes: readonly [QueryFilter<Letter>, UpdateQuery<Letter>][],
  ): Promise<Done> {
    const found = await this.find(filter, box, AT_ONCE + 1);
    const ids = found.slice(0, AT_ONCE).map(({ _id }) => _id);
    let moved = 0;
    for (const [only, change] of changes) {
      const { modifiedCount } = await this.boxes[box].updateMany(
        { _id: { $in: ids }, 'dead.at': { $exists: true }, ...only } as QueryFilter<Letter>,
        change,
      );
      moved += modifiedCount;
    }
    log.warn({ box, letters: moved }, `dead letters ${done}`);
    return { done: moved, more: found.length > AT_ONCE };
  }

  /** The oldest first; of those that are named by their ids in any order. */
  private find(filter: QueryFilter<Letter>, box: LetterBox, limit: number, skip = 0): Promise<Letter[]> {
    const order: Record<string, 1> = ID[box] in filter ? {} : { 'dead.at': 1 };
    return this.boxes[box].find(filter).sort(order).skip(skip).limit(limit).lean<Letter[]>();
  }
}

function filterOf({ box, ids, reason, until }: WhichLetters, since = new Date(0)): QueryFilter<Letter> {
  return {
    'dead.at': { $gte: since, ...(until ? { $lte: until } : {}) },
    ...(reason === undefined ? {} : { 'dead.reason': reason }),
    ...(ids ? { [ID[box]]: { $in: ids } } : {}),
  } as QueryFilter<Letter>;
}

function viewOf(letter: Letter): ResponseOf<typeof ListDeadLetters>['letters'][number] {
  const { tries, dead } = letter;
  // Earlier releases stored what an error said as it was.
  const more = { tries, reason: maskNumbers(dead?.reason ?? ''), since: dead?.at ?? new Date(0) };
  if (!('callbackId' in letter)) return { id: letter._id, number: masked(letter.from), ...more };
  const { textId: id, event } = namesOf(letter);
  return { id, number: masked(letter.to), event, ...more };
}
