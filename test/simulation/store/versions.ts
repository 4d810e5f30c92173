import { SortedList } from './sorted-list.ts';
import { compare, type Doc, UnknownToStore, type Value } from './values.ts';

/** How an index was declared. */
export interface IndexSpec {
  name: string;
  key: Record<string, 1 | -1>;
  unique: boolean;
  sparse: boolean;
  expireAfterSeconds?: number;
}

/** What one place in the oplog made of a document. Never changed: whoever reads may keep it, but not write to it. */
export interface Version {
  /** The place of its document in the order of coming. */
  readonly record: number;
  /** Absent if it was deleted. */
  readonly document: Doc | undefined;
  /** Its place in the oplog. */
  readonly seq: number;
  /** Where it lies in each index. */
  readonly entries: (Entry | undefined)[];
  before: Version | undefined;
  after: Version | undefined;
}

/** The versions of one document that follow each other under one key. Those that no reader can see any more are let go. */
export interface Entry {
  readonly key: readonly Value[];
  readonly record: number;
  /** Of its first version. */
  readonly seq: number;
  newest: Version;
}

interface Field {
  path: string;
  parts: readonly string[];
  sign: 1 | -1;
}

/** All versions of a collection's documents in the order of some fields. */
export class Index {
  readonly spec: IndexSpec;
  readonly fields: readonly Field[];
  /** Its own among the entries of a version. */
  readonly #place: number;
  readonly #entries = new SortedList<Entry>((one, other) => this.#order(one, other));

  constructor(spec: IndexSpec, place: number) {
    this.spec = spec;
    this.#place = place;
    this.fields = Object.entries(spec.key).map(([path, sign]) => ({ path, parts: path.split('.'), sign }));
  }

  /** The values of the fields, `null` for those that are absent; none if the index passes over the document. */
  keyOf(document: Doc): Value[] | undefined {
    let isThere = !this.spec.sparse || this.fields.length === 0;
    const key: Value[] = [];
    for (const { path, parts } of this.fields) {
      const value = valueAt(document, parts);
      if (Array.isArray(value)) throw new UnknownToStore(`an index over arrays: ${path}`);
      isThere ||= value !== undefined;
      key.push(value ?? null);
    }
    return isThere ? key : undefined;
  }

  add(version: Version): void {
    const key = version.document && this.keyOf(version.document);
    const before = version.before?.entries[this.#place];
    let entry: Entry | undefined;
    if (key && before && this.orderOfKeys(before.key, key) === 0) {
      entry = before;
      entry.newest = version;
    } else if (key) {
      entry = { key, record: version.record, seq: version.seq, newest: version };
      this.#entries.add(entry);
    }
    version.entries[this.#place] = entry;
  }

  /** Takes back the newest version of a document. */
  takeBack(version: Version): void {
    const entry = version.entries[this.#place];
    if (!entry) return;
    if (version.before?.entries[this.#place] === entry) entry.newest = version.before;
    else this.#entries.remove(entry);
  }

  /** Lets go of what came before a version. */
  forgetBefore(version: Version): void {
    const entry = version.before?.entries[this.#place];
    if (entry && version.entries[this.#place] !== entry) this.#entries.remove(entry);
  }

  /** Whose newest version has the key. */
  holderOf(key: readonly Value[]): Version | undefined {
    for (const { key: other, newest } of this.#entries.upwards((entry) => this.orderOfKeys(entry.key, key) < 0)) {
      if (this.orderOfKeys(other, key) !== 0) return undefined;
      if (newest.after === undefined) return newest;
    }
    return undefined;
  }

  /** The entries of a range in order, backwards if asked, from behind `last` on. */
  *entriesIn({ place }: Range, isBackwards: boolean, last: Entry | undefined): Generator<Entry> {
    if (isBackwards) {
      const isAbove = (entry: Entry) => place(entry.key) > 0 || (last !== undefined && this.#order(entry, last) >= 0);
      for (const entry of this.#entries.downwards(isAbove)) {
        if (place(entry.key) < 0) return;
        yield entry;
      }
    } else {
      const isBelow = (entry: Entry) => place(entry.key) < 0 || (last !== undefined && this.#order(entry, last) <= 0);
      for (const entry of this.#entries.upwards(isBelow)) {
        if (place(entry.key) > 0) return;
        yield entry;
      }
    }
  }

  /** The version under an entry that a reader sees after a place in the oplog. */
  visibleAt(entry: Entry, asOf: number): Version | undefined {
    const { newest } = entry;
    if (newest.after && newest.after.seq <= asOf) return undefined;
    let version: Version | undefined = newest;
    while (version && version.seq > asOf) version = version.before;
    return version?.entries[this.#place] === entry ? version : undefined;
  }

  orderOfKeys(one: readonly Value[], other: readonly Value[]): number {
    const { fields } = this;
    for (let at = 0; at < fields.length; at++) {
      const order = compare(one[at] as Value, other[at] as Value);
      if (order !== 0) return order * (fields[at] as Field).sign;
    }
    return 0;
  }

  #order(one: Entry, other: Entry): number {
    return this.orderOfKeys(one.key, other.key) || one.record - other.record || one.seq - other.seq;
  }
}

/** A part of an index: whether a key lies below it, in it or above it. */
export interface Range {
  place(key: readonly Value[]): number;
}

/** The value at a path through documents; arrays are not gone into. */
export function valueAt(document: Doc, parts: readonly string[]): Value | undefined {
  let value: Value | undefined = document;
  for (const part of parts) {
    if (typeof value !== 'object' || value === null || value instanceof Date) return undefined;
    if (Array.isArray(value)) throw new UnknownToStore(`a path into an array: ${parts.join('.')}`);
    value = (value as Doc)[part];
  }
  return value;
}
