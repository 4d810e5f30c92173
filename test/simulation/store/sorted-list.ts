const CHUNK_MAX = 256;

/** A list that is kept in order, quick at any size: it lies in chunks, so that an insert moves few others. */
export class SortedList<T> {
  readonly #compare: (one: T, other: T) => number;
  readonly #chunks: T[][] = [];

  constructor(compare: (one: T, other: T) => number) {
    this.#compare = compare;
  }

  add(item: T): void {
    // Most of what comes is the newest.
    const last = this.#chunks.at(-1);
    const isLast = last && this.#compare(last.at(-1) as T, item) <= 0;
    const [at, place] = isLast ? [this.#chunks.length - 1, last.length] : this.#find((other) => this.#compare(other, item) < 0);
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(place, 0, item);
    if (chunk.length > CHUNK_MAX) {
      // Where all comes at the end, chunks stay full.
      const half = isLast ? CHUNK_MAX : CHUNK_MAX / 2;
      this.#chunks.splice(at + 1, 0, chunk.splice(half));
    }
  }

  /** Takes out the item that has the place of this one. */
  remove(item: T): void {
    const [at, place] = this.#find((other) => this.#compare(other, item) < 0);
    const chunk = this.#chunks[at];
    const found = chunk?.[place];
    if (!chunk || found === undefined || this.#compare(found, item) !== 0) throw new Error('the sorted list has no such item');
    chunk.splice(place, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** From the first item that is not below on. */
  *upwards(isBelow: (item: T) => boolean): Generator<T> {
    const [from, place] = this.#find(isBelow);
    for (let at = from; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] as T[];
      for (let next = at === from ? place : 0; next < chunk.length; next++) yield chunk[next] as T;
    }
  }

  /** From the last item that is not above on, the greatest first. */
  *downwards(isAbove: (item: T) => boolean): Generator<T> {
    const [from, place] = this.#find((item) => !isAbove(item));
    for (let at = Math.min(from, this.#chunks.length - 1); at >= 0; at--) {
      const chunk = this.#chunks[at] as T[];
      for (let next = at === from ? place - 1 : chunk.length - 1; next >= 0; next--) yield chunk[next] as T;
    }
  }

  /** Chunk and place of the first item that is not below. */
  #find(isBelow: (item: T) => boolean): [number, number] {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBelow((this.#chunks[middle] as T[]).at(-1) as T)) low = middle + 1;
      else high = middle;
    }
    const chunk = this.#chunks[low];
    if (!chunk) return [low, 0];
    let first = 0;
    let last = chunk.length;
    while (first < last) {
      const middle = (first + last) >> 1;
      if (isBelow(chunk[middle] as T)) first = middle + 1;
      else last = middle;
    }
    return [low, first];
  }
}
