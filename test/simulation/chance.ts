import { seededRandom } from '#libs/testing';

/** What is left to chance in a simulated world. The same seed and name give the same draws, whoever else draws. */
export class Chance {
  readonly #seed: number;
  readonly #random: () => number;

  constructor(seed: number, name = '') {
    this.#seed = hash(seed, name);
    this.#random = seededRandom(this.#seed);
  }

  /** A source of its own for one part of the world: what others draw does not change it. */
  of(name: string): Chance {
    return new Chance(this.#seed, name);
  }

  /** In [0, 1). */
  draw(): number {
    return this.#random();
  }

  /** True in a `part` of the draws. */
  is(part: number): boolean {
    return this.#random() < part;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  /** One of them. Throws if there is none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from');
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  /** A time that is mostly short and now and then long: exponential with this mean, milliseconds. */
  wait(meanMs: number): number {
    return -Math.log(1 - this.#random()) * meanMs;
  }

  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.whole(0, 255)));
  }
}

/** FNV-1a over the seed and a name. */
function hash(seed: number, name: string): number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(`${seed}/${name}`)) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  return state;
}
