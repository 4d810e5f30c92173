import { assertWaited, Unavailable } from '#libs/runtime';

/** Work that may wait for one name. More would wait for longer than anybody waits for it. */
export const WAITING_MAX = 100;

/** Lets work that shares a name with earlier work wait for it, so that one process does not race itself. Other processes are raced by the unique indexes. */
export class Turns {
  readonly #last = new Map<string, { turn: Promise<unknown>; waiting: number }>();
  #waiting = 0;

  /** Work that waits or is under way. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Does the work when all earlier work under any of these names is done, whether it failed or not. Throws `Unavailable` where too much waits
   * already, or nobody waits for it any more when its turn comes.
   */
  async take<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    if (names.some((name) => this.#waitingFor(name) >= WAITING_MAX))
      throw new Unavailable(`a turn, for which ${WAITING_MAX} wait already,`);
    const turn = Promise.allSettled(names.map((name) => this.#last.get(name)?.turn)).then(() => {
      assertWaited('a turn');
      return work();
    });
    this.#waiting++;
    for (const name of names) this.#last.set(name, { turn, waiting: this.#waitingFor(name) + 1 });
    try {
      return await turn;
    } finally {
      this.#waiting--;
      for (const name of names) this.#leave(name, turn);
    }
  }

  /** Of some names the one for which least waits; the first of several. */
  freest<Name extends string>(names: readonly [Name, ...Name[]]): Name {
    return names.reduce((best, name) => (this.#waitingFor(name) < this.#waitingFor(best) ? name : best));
  }

  #waitingFor(name: string): number {
    return this.#last.get(name)?.waiting ?? 0;
  }

  #leave(name: string, turn: Promise<unknown>): void {
    const last = this.#last.get(name);
    if (last?.turn === turn) this.#last.delete(name);
    else if (last) last.waiting--;
  }
}
