import type { Filter } from './filter.ts';
import { type Plan, planOf, type Sort } from './plan.ts';
import { compare, type Doc, UnknownToStore, type Value } from './values.ts';
import { type Entry, Index, type IndexSpec, type Range, valueAt, type Version } from './versions.ts';

const ID_INDEX: IndexSpec = { name: '_id_', key: { _id: 1 }, unique: true, sparse: false };
const NATURAL: IndexSpec = { name: '$natural', key: {}, unique: false, sparse: false };

/** What was applied last, committed or not. */
export const NEWEST = Infinity;

/** A unique index that has a key already, and whose it is. */
export interface Duplicate {
  index: IndexSpec;
  key: Doc;
  holder: Version;
}

/** A collection with its history, as far as somebody may still see it. */
export class StoredCollection {
  readonly indexes: Index[] = [new Index(ID_INDEX, 1)];
  readonly #natural = new Index(NATURAL, 0);
  #records = 0;

  /** What would keep a document from being inserted, or from taking the place of `replaced`. */
  duplicateOf(document: Doc, replaced?: Version): Duplicate | undefined {
    for (const index of this.indexes) {
      if (!index.spec.unique) continue;
      const key = index.keyOf(document);
      if (!key) continue;
      const before = replaced?.document && index.keyOf(replaced.document);
      if (before && index.orderOfKeys(before, key) === 0) continue;
      const holder = index.holderOf(key);
      if (holder) return { index: index.spec, key: namedKey(index, key), holder };
    }
    return undefined;
  }

  /** Adds a version: of a new document, or of that of `before`. Nobody asks here whether it may. */
  put(seq: number, document: Doc | undefined, before?: Version): Version {
    const record = before?.record ?? this.#records++;
    const version: Version = { record, document, seq, entries: [], before, after: undefined };
    this.#natural.add(version);
    for (const index of this.indexes) index.add(version);
    if (before) before.after = version;
    return version;
  }

  /** Takes back the newest version of a document. */
  takeBack(version: Version): void {
    this.#natural.takeBack(version);
    for (const index of this.indexes) index.takeBack(version);
    if (version.before) version.before.after = undefined;
  }

  /** Lets go of what came before a version: nobody will see it again. */
  forgetBefore(version: Version): void {
    this.#natural.forgetBefore(version);
    for (const index of this.indexes) index.forgetBefore(version);
    version.before = undefined;
  }

  /** All documents at a place in the oplog, in the order of their coming. */
  documents(asOf: number): Doc[] {
    const all = { index: this.#natural, ranges: [{ place: () => 0 }] };
    const versions = new Walk({ matches: () => true }, { scans: [all], isBackwards: false }).take(Infinity, asOf);
    return versions.map(({ document }) => document as Doc);
  }

  /** Adds an index over what is there; says what is there twice, and then there is none. */
  addIndex(spec: IndexSpec): Duplicate | undefined {
    const index = new Index(spec, this.indexes.length + 1);
    for (const { newest } of this.#natural.entriesIn({ place: () => 0 }, false, undefined)) {
      for (const version of historyOf(newest)) {
        const key = version === newest && !newest.after && newest.document && index.keyOf(newest.document);
        const holder = spec.unique && key && index.holderOf(key);
        if (holder) return { index: spec, key: namedKey(index, key), holder };
        index.add(version);
      }
    }
    this.indexes.push(index);
    return undefined;
  }

  plan(filter: Filter, sort: Sort = []): Plan {
    return planOf(filter, sort, this.indexes, this.#natural);
  }
}

/** A query on its way: it goes on from where it was, and meets what lies there then. */
export class Walk {
  isOver = false;
  readonly #matches: Filter['matches'];
  readonly #isBackwards: boolean;
  readonly #ways: readonly { index: Index; range: Range }[];
  #way = 0;
  #last: Entry | undefined;
  /** Of which several indexes may know. */
  readonly #seen: Set<number> | undefined;

  constructor({ matches }: Pick<Filter, 'matches'>, { scans, isBackwards }: Pick<Plan, 'scans' | 'isBackwards'>) {
    this.#matches = matches;
    this.#isBackwards = isBackwards;
    this.#ways = scans.flatMap(({ index, ranges }) =>
      (isBackwards ? ranges.toReversed() : ranges).map((range) => ({ index, range })),
    );
    if (scans.length > 1) this.#seen = new Set();
  }

  /** The next ones, as they are at a place in the oplog. */
  take(most: number, asOf: number): Version[] {
    const taken: Version[] = [];
    for (let way = this.#ways[this.#way]; way && taken.length < most; way = this.#ways[this.#way]) {
      for (const entry of way.index.entriesIn(way.range, this.#isBackwards, this.#last)) {
        this.#last = entry;
        const version = way.index.visibleAt(entry, asOf);
        if (!version || !this.#finds(version)) continue;
        taken.push(version);
        if (taken.length === most) return taken;
      }
      this.#way++;
      this.#last = undefined;
    }
    this.isOver = this.#way === this.#ways.length;
    return taken;
  }

  #finds({ document, record }: Version): boolean {
    if (!document || !this.#matches(document) || this.#seen?.has(record)) return false;
    this.#seen?.add(record);
    return true;
  }
}

/** Sorted without an index; what is equal stays as it came. */
export function inOrder(versions: readonly Version[], sort: Sort): Version[] {
  const fields = sort.map(([path, sign]) => ({ parts: path.split('.'), sign }));
  const keyOf = (document: Doc | undefined) => fields.map(({ parts }) => sortable(document && valueAt(document, parts)));
  return versions
    .map((version) => ({ version, key: keyOf(version.document) }))
    .sort((one, other) => {
      for (const [at, { sign }] of fields.entries()) {
        const order = compare(one.key[at] as Value, other.key[at] as Value) * sign;
        if (order !== 0) return order;
      }
      return 0;
    })
    .map(({ version }) => version);
}

function sortable(value: Value | undefined): Value {
  if (Array.isArray(value)) throw new UnknownToStore('a sort by arrays');
  return value ?? null;
}

const namedKey = ({ fields }: Index, key: readonly Value[]): Doc =>
  Object.fromEntries(fields.map(({ path }, at) => [path, key[at] as Value]));

/** The oldest first. */
function historyOf(newest: Version): Version[] {
  const history: Version[] = [];
  for (let version: Version | undefined = newest; version; version = version.before) history.unshift(version);
  return history;
}
