import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type {
  LetterBox,
  ListDeadLetters,
  NextLetters,
  ReplayDeadLetters,
  RequestOf,
  ResponseOf,
  WhichLetters,
} from '#libs/contracts';
import { type Driven } from '#libs/redrive';
import { log, masked, maskNumbers, Metrics } from '#libs/runtime';
import { Clock } from '#libs/nest-service';
import type { Model, QueryFilter, UpdateQuery } from 'mongoose';
import { InboxMessage } from './inbox.schema.ts';
import { namesOf, OutboxText } from './outbox.schema.ts';
import { type Place, placeAfter } from './place.ts';

/** As many are moved by one question. */
const AT_ONCE = 200;
/** As many are read by one question, however few of them fit. */
const READ_MAX = 1_000;
const COUNTED_MAX = 10_000;
/** By what operators name them. */
const ID: Record<LetterBox, string> = { inbox: '_id', outbox: 'callbackId' };
/** Why nothing is done for it any more: it was given up, or the provider refused it for good. */
type End = 'dead' | 'refused';
const ENDS: Record<LetterBox, readonly End[]> = { inbox: ['dead'], outbox: ['dead', 'refused'] };

type Letter = Driven & Pick<OutboxText, 'refused'> & { state?: string } & (InboxMessage | OutboxText);
type Done = ResponseOf<typeof ReplayDeadLetters>;
/** What one question found of what has one end. */
type Found = { end: End; letters: Letter[] };
/** What is made of what the provider refused, and of the others. */
type Changes = { others: UpdateQuery<Letter>; refused?: UpdateQuery<Letter> };

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
    const [inbox, outbox, refused] = await Promise.all([
      this.countOf('inbox', 'dead'),
      this.countOf('outbox', 'dead'),
      this.countOf('outbox', 'refused'),
    ]);
    if (outbox.refused > 0) await this.setApart(outbox.refused);
    // A number that is gone, or a person who wants no texts: nothing that an operator could mend.
    return { inbox: inbox.others, outbox: outbox.others, refused: refused.refused + outbox.refused };
  }

  /** Of the newest: of more than that nobody needs the number. */
  private async countOf(box: LetterBox, end: End): Promise<{ refused: number; others: number }> {
    const counts = await this.boxes[box].aggregate<{ _id: string | null; count: number }>([
      { $match: { [`${end}.at`]: { $exists: true } } },
      { $sort: { [`${end}.at`]: -1 } },
      { $limit: COUNTED_MAX },
      { $group: { _id: '$state', count: { $sum: 1 } } },
    ]);
    const of = (isRefused: boolean) =>
      counts.reduce((sum, { _id, count }) => ((_id === 'failed') === isRefused ? sum + Number(count) : sum), 0);
    return { refused: of(true), others: of(false) };
  }

  /** 0.2.0 laid what the provider refused among the dead letters, where enough of it hides them from the next count: it is taken from there. */
  private async setApart(found: number): Promise<void> {
    const { outbox } = this.boxes;
    const newest = await outbox
      .find({ 'dead.at': { $exists: true }, state: 'failed' } as QueryFilter<Letter>)
      .sort({ 'dead.at': -1 })
      .limit(Math.min(found, AT_ONCE))
      .select({ _id: 1 })
      .lean<Letter[]>();
    const ids = newest.map(({ _id }) => _id);
    await outbox.updateMany({ _id: { $in: ids }, state: 'failed' } as QueryFilter<Letter>, { $rename: { dead: 'refused' } });
  }

  async list({ limit, ...which }: RequestOf<typeof ListDeadLetters>): Promise<ResponseOf<typeof ListDeadLetters>> {
    const { found, next } = await this.find(which, limit, { stays: true });
    return { letters: found.flatMap(({ letters }) => letters.map(viewOf)), ...(next ? { next } : {}) };
  }

  /** Makes them due. What the provider refused for good begins anew; what it may have taken is looked for in its list first. */
  async replay(which: WhichLetters): Promise<Done> {
    const ofAll = which.ids === undefined && which.reason === undefined;
    const again = { $set: { tries: 0, waits: 0, nextTryAt: this.clock.now() } };
    const refused = { $set: { ...again.$set, state: 'queued' } };
    return this.move('replayed', which, { others: again, ...(ofAll ? {} : { refused }) });
  }

  /** Their end is that an operator put them away. */
  async dismiss(which: WhichLetters): Promise<Done> {
    return this.move('dismissed', which, {
      others: { $set: which.box === 'inbox' ? { outcome: 'dismissed' } : { state: 'dropped' }, $unset: { nextTryAt: 1 } },
      refused: { $unset: { nextTryAt: 1 } },
    });
  }

  /** Changes a part of those that fit; whatever becomes of them meanwhile, only dead letters are changed. */
  private async move(done: string, which: WhichLetters, changes: Changes): Promise<Done> {
    const { box } = which;
    const { found, next } = await this.find(which, AT_ONCE, { stays: false, refusedToo: changes.refused !== undefined });
    let moved = 0;
    for (const { end, letters } of found) {
      for (const [kind, change] of Object.entries(changes)) {
        const state = kind === 'refused' ? { state: 'failed' } : {};
        const ids = letters.filter((letter) => isRefused(letter) === (kind === 'refused')).map(({ _id }) => _id);
        if (ids.length === 0) continue;
        const { modifiedCount } = await this.boxes[box].updateMany(
          { _id: { $in: ids }, [`${end}.at`]: { $exists: true }, ...state } as QueryFilter<Letter>,
          { ...change, $unset: { ...change.$unset, [end]: 1, failingSince: 1, claim: 1 } } as UpdateQuery<Letter>,
        );
        moved += modifiedCount;
      }
    }
    log.warn({ box, letters: moved }, `dead letters ${done}`);
    return { done: moved, more: next !== undefined, ...(next ? { next } : {}) };
  }

  /**
   * At most `limit` that fit, those given up before those refused, each the oldest first, and the place to go on from if there may be more: where they
   * are moved away, it is among those that are left.
   */
  private async find(
    which: WhichLetters,
    limit: number,
    { stays, refusedToo = true }: { stays: boolean; refusedToo?: boolean },
  ): Promise<{ found: Found[]; next?: NextLetters }> {
    const { box, ids, reason, since = new Date(0), skip = 0 } = which;
    const found: Found[] = [];
    let left = limit;
    let toRead = READ_MAX;
    const ends = ENDS[box].filter((end) => (end === 'refused' ? refusedToo : !which.refused));
    for (const [nth, end] of ends.entries()) {
      // 0.2.0 asks for all from a time on.
      const from: Place = nth === 0 ? { since, skip } : { since: which.refused === undefined ? since : new Date(0), skip: 0 };
      const pageMax = Math.min(toRead, reason === undefined && !ids ? left : READ_MAX);
      if (left === 0 || toRead === 0) return { found, next: { ...from, refused: end === 'refused' } };
      const page = await this.page(which, end, from, pageMax);
      const letters: Letter[] = [];
      let read = 0;
      for (; read < page.length && letters.length < left; read++) {
        const letter = page[read];
        if (!letter || (reason !== undefined && letter[end]?.reason !== reason) || (isRefused(letter) && !refusedToo)) continue;
        letters.push(letter);
      }
      found.push({ end, letters });
      const place = placeAfter(from, page.slice(0, read).map(timeOf(end)));
      if (!stays) place.skip -= letters.filter((letter) => timeOf(end)(letter).getTime() === place.since.getTime()).length;
      if (read < page.length || page.length === pageMax) return { found, next: { ...place, refused: end === 'refused' } };
      left -= letters.length;
      toRead -= read;
    }
    return { found };
  }

  /** The oldest first; of those that are named by their ids in any order. */
  private page({ box, ids, until }: WhichLetters, end: End, { since, skip }: Place, limit: number): Promise<Letter[]> {
    const at = `${end}.at`;
    const filter = { [at]: { $gte: since, ...(until ? { $lte: until } : {}) }, ...(ids ? { [ID[box]]: { $in: ids } } : {}) };
    return this.boxes[box]
      .find(filter as QueryFilter<Letter>)
      .sort(ids ? {} : { [at]: 1 })
      .skip(skip)
      .limit(limit)
      .select({ text: 0, told: 0 })
      .lean<Letter[]>();
  }
}

const isRefused = ({ state }: Letter) => state === 'failed';

const timeOf = (end: End) => (letter: Letter) => letter[end]?.at ?? new Date(0);

function viewOf(letter: Letter): ResponseOf<typeof ListDeadLetters>['letters'][number] {
  const { tries } = letter;
  const ended = letter.dead ?? letter.refused;
  // Earlier releases stored what an error said as it was.
  const more = { tries, reason: maskNumbers(ended?.reason ?? ''), since: ended?.at ?? new Date(0) };
  if (!('callbackId' in letter)) return { id: letter._id, number: masked(letter.from), ...more };
  const { textId: id, event } = namesOf(letter);
  return { id, number: masked(letter.to), event, ...more };
}
