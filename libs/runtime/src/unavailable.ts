/** Nothing was decided: what was asked, or what it needs (NATS, a database, the provider), did not answer. Asking again later helps, and it counts as no try. */
export class Unavailable extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`${what} is unavailable`, options);
    this.name = 'Unavailable';
  }
}
