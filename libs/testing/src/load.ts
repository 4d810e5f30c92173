import type { Phone } from './phone.ts';
import type { Town } from './town.ts';

const QUOTE = /Reply (\d{6,9}) within/;

/** Pairs of people who pay each other 1.00 to and fro until `end()`: a load under which faults are tried. */
export class Load {
  #ending = false;
  #payments = 0;
  readonly #pairs: Promise<void>[];

  private constructor(pairs: [Phone, Phone][], patienceMs: number) {
    this.#pairs = pairs.map((pair) => this.#toAndFro(pair, patienceMs));
  }

  /** `patienceMs`: how long a person waits for a text before the test fails. */
  static async start(town: Town, pairs: number, patienceMs = 90_000): Promise<Load> {
    const people = await Promise.all(Array.from({ length: 2 * pairs }, () => town.joins({ name: 'Pat', balance: '50.00' })));
    const halves = people.slice(0, pairs).map((person, index) => [person, people[pairs + index]] as [Phone, Phone]);
    return new Load(halves, patienceMs);
  }

  /** Payments whose both receipts have come. */
  get payments(): number {
    return this.#payments;
  }

  /** Lets each pair finish what it is at. Rejects if somebody waited in vain. */
  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#pairs);
  }

  async #toAndFro([one, other]: [Phone, Phone], patienceMs: number): Promise<void> {
    for (let [payer, payee] = [one, other]; !this.#ending; [payer, payee] = [payee, payer]) {
      await payer.insists(`PAY 1 ${payee.number}`);
      const [, code = ''] = await payer.receives(QUOTE, patienceMs);
      await payer.insists(code);
      await Promise.all([payer.receives(/^Paid KES 1\.00/, patienceMs), payee.receives(/^You got KES 1\.00/, patienceMs)]);
      this.#payments++;
    }
  }
}
