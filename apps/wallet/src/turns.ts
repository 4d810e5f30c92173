/** Lets work that shares a name with earlier work wait for it, so that one process does not race itself. Other processes are raced by the unique indexes. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does the work when all earlier work under any of these names is done, whether it failed or not. */
  take<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const turn = Promise.allSettled(names.map((name) => this.#last.get(name))).then(work);
    for (const name of names) this.#last.set(name, turn);
    const leave = () => names.forEach((name) => this.#last.get(name) === turn && this.#last.delete(name));
    turn.then(leave, leave);
    return turn;
  }
}
