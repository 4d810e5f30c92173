import { randomUUID } from 'node:crypto';
import type { ArrivedText } from '#libs/simulated-twilio';
import { until } from './service-process.ts';
import type { Town } from './town.ts';

/** A person's phone in a town: sends texts, and reads what comes, each text once. */
export class Phone {
  readonly name: string;
  readonly number: string;
  readonly #town: Town;
  #read = 0;

  constructor(town: Town, name: string, number: string) {
    this.#town = town;
    this.name = name;
    this.number = number;
  }

  /** Sends a text as Twilio would hand it over. Resolves with the webhook's status. */
  async sends(body: string, more: { numMedia?: number; messageSid?: string } = {}): Promise<number> {
    this.#town.conversation.push({ who: this.name, direction: 'sends', body });
    const { sid, status } = await this.#town.twilio.sendFromPhone({ from: this.number, to: this.#town.number, body, ...more });
    if (status >= 200 && status < 300) this.#town.taken.add(sid);
    return status;
  }

  /** Sends a text again and again under one id, as a provider that keeps trying, until it is answered 200. */
  async insists(body: string, timeoutMs = 60_000): Promise<void> {
    const messageSid = `SM${randomUUID().replaceAll('-', '')}`;
    await until(async () => (await this.sends(body, { messageSid })) === 200, {
      timeoutMs,
      everyMs: 250,
      what: () => `the text of ${this.name} to be taken`,
    });
  }

  /** The next text that matches, among those not read yet: what the pattern captured, the whole match first. */
  async receives(matcher: RegExp | string, timeoutMs = 15_000): Promise<string[]> {
    const pattern = typeof matcher === 'string' ? (body: string) => body === matcher : matcher;
    const arrived: ArrivedText = await this.#town.twilio.waitForText(this.number, pattern, { after: this.#read, timeoutMs });
    // Two that are awaited at once may come in either order.
    this.#read = Math.max(this.#read, arrived.index + 1);
    this.#town.conversation.push({ who: this.name, direction: 'receives', body: arrived.message.body });
    return [...arrived.match];
  }

  /** All texts that ever came. */
  texts(): string[] {
    return this.#town.twilio.textsTo(this.number).map((message) => message.body);
  }

  /** Asks the server for the balance and reads it. */
  async balance(): Promise<string> {
    await this.sends('BAL');
    const [, balance = ''] = await this.receives(/^Balance KES ([\d,]+\.\d\d)/);
    return balance;
  }
}
