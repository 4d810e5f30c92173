import type { Chance } from '../chance.ts';
import type { Due, Scheduler } from '../scheduler.ts';
import { StoredCollection } from './collection.ts';
import type { Written } from './commands.ts';
import type { Doc } from './values.ts';
import type { Version } from './versions.ts';

/** Most writes are with a majority at once, a few only later. */
const COMMIT_MS = 1.5;
const LATE_COMMITS = 0.01;
const LATE_COMMIT_MS = 150;
/** How old what a new primary knows of the majority can be: members tell each other at least this often. */
const STALE_MS = 1_000;

/** One change of a document, or the note by which a new primary begins. */
export interface OplogEntry extends Written {
  seq: number;
  /** When a majority will have it. */
  commitAtMs: number;
  namespace: string;
  collection?: StoredCollection;
  version?: Version;
}

export type CommitListener = (database: string, collection: string, before: Doc | undefined, after: Doc | undefined) => void;

/** What was written, in order, and how far a majority has it. Collections hold what came of it. */
export class Oplog {
  /** The newest place that a majority has. */
  committed = 0;
  /** The newest of these that the primary knows. */
  known = 0;
  /** The newest place. */
  newest = 0;
  /** Commits take so many times as long. */
  slowness = 1;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #collections = new Map<string, StoredCollection>();
  readonly #listeners: CommitListener[] = [];
  readonly #progressed: () => void;
  #uncommitted: OplogEntry[] = [];
  /** Committed a short while ago: what was there before can still be seen. */
  #recent: { entry: OplogEntry; atMs: number }[] = [];
  /** Nobody can see what was before this place. */
  #oldest = 0;
  #lastSeq = 0;
  #due: Due | undefined;
  #isHeld = false;
  #hasPrimary = true;

  /** `progressed` is called each time that a majority has more. */
  constructor({ scheduler, chance, progressed }: { scheduler: Scheduler; chance: Chance; progressed: () => void }) {
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#progressed = progressed;
  }

  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener);
  }

  /** By `<database>.<name>`. */
  get collections(): ReadonlyMap<string, StoredCollection> {
    return this.#collections;
  }

  create(namespace: string): StoredCollection {
    let collection = this.#collections.get(namespace);
    if (!collection) this.#collections.set(namespace, (collection = new StoredCollection()));
    return collection;
  }

  /** Writes that a majority does not have yet. */
  get uncommitted(): number {
    return this.#uncommitted.length;
  }

  /** When a majority will have all that is written; never, as things stand, if the majority is away. */
  get committedAtMs(): number {
    if (this.#uncommitted.length === 0) return this.#scheduler.nowMs;
    return this.#isHeld || !this.#hasPrimary ? Infinity : (this.#uncommitted.at(-1)?.commitAtMs ?? 0);
  }

  write(namespace: string, document: Doc | undefined, before?: Version): OplogEntry {
    const collection = this.create(namespace);
    const entry = this.#append({ namespace, collection });
    entry.version = collection.put(entry.seq, document, before);
    return entry;
  }

  /** The other members are away: nothing more gets to a majority, until `release`. */
  hold(): void {
    this.#isHeld = true;
    this.#stop();
  }

  release(): void {
    this.#isHeld = false;
    this.#goOn();
  }

  /** The primary is no more. Another need not have the last of what no majority has: that is rolled back. Returns how much it is. */
  end(): number {
    this.#hasPrimary = false;
    this.#stop();
    this.#prune();
    const kept = this.#chance.whole(0, this.#uncommitted.length);
    const lost = this.#uncommitted.splice(kept);
    for (const entry of lost.toReversed()) {
      entry.isRolledBack = true;
      if (entry.version) entry.collection?.takeBack(entry.version);
    }
    this.newest = this.#uncommitted.at(-1)?.seq ?? this.committed;
    return lost.length;
  }

  /** Another begins as primary. It may not know yet how far the majority is, until that has its first note too. */
  begin(): void {
    this.#hasPrimary = true;
    this.known = this.#chance.whole(this.#oldest, this.committed);
    this.#append({ namespace: '' });
    this.#goOn();
  }

  /** What a majority has, as it lies. Not to be changed. */
  documents(namespace: string): Doc[] {
    return this.#collections.get(namespace)?.documents(this.committed) ?? [];
  }

  #append(what: Pick<OplogEntry, 'namespace' | 'collection'>): OplogEntry {
    const commitAtMs = this.#commitAfter(this.#uncommitted.at(-1));
    const entry = { ...what, seq: ++this.#lastSeq, commitAtMs, isRolledBack: false };
    this.newest = entry.seq;
    this.#uncommitted.push(entry);
    if (!this.#due) this.#schedule();
    return entry;
  }

  /** In the order of the oplog: none before the one before it. */
  #commitAfter(last: OplogEntry | undefined): number {
    const isLate = this.#chance.is(LATE_COMMITS);
    const waitMs = this.#chance.wait(isLate ? LATE_COMMIT_MS : COMMIT_MS) * this.slowness;
    return Math.max(last?.commitAtMs ?? 0, this.#scheduler.nowMs + waitMs);
  }

  #stop(): void {
    this.#due?.cancel();
    this.#due = undefined;
  }

  #goOn(): void {
    this.#stop();
    if (this.#isHeld || !this.#hasPrimary) return;
    let last: OplogEntry | undefined;
    for (const entry of this.#uncommitted) {
      entry.commitAtMs = this.#commitAfter(last);
      last = entry;
    }
    this.#schedule();
  }

  #schedule(): void {
    const [first] = this.#uncommitted;
    if (!first || this.#isHeld || !this.#hasPrimary) return;
    this.#due = this.#scheduler.at(first.commitAtMs, () => {
      this.#due = undefined;
      this.#commit();
      this.#schedule();
    });
  }

  #commit(): void {
    const nowMs = this.#scheduler.nowMs;
    const waits = this.#uncommitted.findIndex(({ commitAtMs }) => commitAtMs > nowMs);
    const done = this.#uncommitted.splice(0, waits < 0 ? this.#uncommitted.length : waits);
    for (const entry of done) {
      this.committed = this.known = entry.seq;
      this.#recent.push({ entry, atMs: nowMs });
      this.#tell(entry);
    }
    this.#prune();
    this.#progressed();
  }

  #tell({ namespace, version }: OplogEntry): void {
    if (!version) return;
    const dot = namespace.indexOf('.');
    for (const listener of this.#listeners) {
      listener(namespace.slice(0, dot), namespace.slice(dot + 1), version.before?.document, version.document);
    }
  }

  #prune(): void {
    const sinceMs = this.#scheduler.nowMs - STALE_MS;
    const keeps = this.#recent.findIndex(({ atMs }) => atMs >= sinceMs);
    for (const { entry } of this.#recent.splice(0, keeps < 0 ? this.#recent.length : keeps)) {
      if (entry.version) entry.collection?.forgetBefore(entry.version);
      this.#oldest = entry.seq;
    }
  }
}
