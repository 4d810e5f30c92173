/** Something that will happen, unless it is cancelled. */
export interface Due {
  cancel(): void;
}

interface Entry extends Due {
  atMs: number;
  /** Of two at the same time the one that was scheduled first comes first. */
  order: number;
  run: (() => void | Promise<void>) | undefined;
}

/**
 * Virtual time. What is to happen lies in one queue, in the order of its time, and nothing else moves the world: after each event
 * everything that the code does without waiting is done before the next. So a run is the same on any machine, and takes no longer than its
 * computing.
 */
export class Scheduler {
  #nowMs: number;
  #order = 0;
  #stopped = false;
  /** A binary heap. */
  readonly #queue: Entry[] = [];
  /** Events that were run. */
  steps = 0;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  /** The true time of the world, epoch milliseconds with fractions. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Has `run` happen at a time; at once, behind what is due already, if that is over. */
  at(timeMs: number, run: () => void | Promise<void>): Due {
    const entry: Entry = {
      atMs: Math.max(timeMs, this.#nowMs),
      order: this.#order++,
      run,
      cancel: () => (entry.run = undefined),
    };
    this.#push(entry);
    return entry;
  }

  after(delayMs: number, run: () => void | Promise<void>): Due {
    return this.at(this.#nowMs + delayMs, run);
  }

  /** Lets the world go on until a time, until nothing is left to happen, or until `stop()`. Rejects with what an event throws. */
  async run(untilMs: number): Promise<void> {
    this.#stopped = false;
    await settled();
    while (!this.#stopped) {
      const next = this.#queue[0];
      if (!next || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return;
      }
      this.#pop();
      if (!next.run) continue;
      this.#nowMs = next.atMs;
      this.steps++;
      await next.run();
      await settled();
      if (this.steps % BREATHS === 0) await new Promise(setImmediate);
    }
  }

  /** Ends `run()` after the event that is under way. */
  stop(): void {
    this.#stopped = true;
  }

  #push(entry: Entry): void {
    const queue = this.#queue;
    let place = queue.push(entry) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!isBefore(entry, queue[above] as Entry)) break;
      queue[place] = queue[above] as Entry;
      place = above;
    }
    queue[place] = entry;
  }

  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop();
    if (!last || queue.length === 0) return;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= queue.length) break;
      if (below + 1 < queue.length && isBefore(queue[below + 1] as Entry, queue[below] as Entry)) below++;
      if (!isBefore(queue[below] as Entry, last)) break;
      queue[place] = queue[below] as Entry;
      place = below;
    }
    queue[place] = last;
  }
}

const isBefore = (one: Entry, other: Entry) => one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);

/** After so many events the real world is looked at: signals, output. */
const BREATHS = 10_000;

/**
 * When all that needs no waiting is done. What is queued for `process.nextTick` comes when no promise is left to go on (Node.js, "The
 * Event Loop"), so this is behind all of them; a turn of the real event loop would take five times as long.
 */
const settled = () => new Promise<void>((resolve) => behindAll(HOPS, resolve));

/** What is behind everything may queue something in its turn, as streams do. */
const HOPS = 2;
function behindAll(hops: number, then: () => void): void {
  queueMicrotask(() => process.nextTick(() => (hops === 1 ? then() : behindAll(hops - 1, then))));
}
