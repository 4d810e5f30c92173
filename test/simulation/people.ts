import type { Message } from '#libs/simulated-twilio';
import type { Chance } from './chance.ts';
import { type Act as AnyAct, amount, type Answer, national, numberOf } from './plan.ts';
import type { SimulatedProvider } from './provider.ts';
import type { Scheduler } from './scheduler.ts';
import { SERVER_NUMBER } from './services.ts';
import type { Story } from './story.ts';

/** How long somebody waits before they send again what the server did not take. */
const AGAIN_MS = 20_000;

const NAMES = ['Ada', 'Ben', 'Cia', 'Dan', 'Eve'];

/** What people read on their phones. */
const READ = {
  quote: /^Pay KES ([\d,.]+) to .* Reply (\d{6,9}) within/,
  request: /asks you for KES ([\d,.]+).* Reply (\d{6,9}) within/,
  pin: /^Reply (\d{6,9}) within .* to set your PIN/,
  requestSent: /^You asked .* for KES ([\d,.]+).* reply NO (\w{7})$/,
};

type Act = Exclude<AnyAct, { do: 'order_again' }>;

interface Intent {
  reply: Answer | 'withdraw';
  thinkMs: number;
}

/** People with phones: they send, read what comes, and answer or not. */
export class People {
  readonly count: number;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #story: Story;
  readonly #provider: SimulatedProvider;
  /** By payer and amount; of PINs the last of each person. */
  readonly #intents = new Map<string, Intent>();
  /** The last code that each was told. */
  readonly #codes = new Map<number, string>();
  /** SMS that are said and not taken yet. */
  saying = 0;

  constructor(count: number, parts: { scheduler: Scheduler; chance: Chance; story: Story; provider: SimulatedProvider }) {
    this.count = count;
    this.#scheduler = parts.scheduler;
    this.#chance = parts.chance;
    this.#story = parts.story;
    this.#provider = parts.provider;
    this.#provider.account.on('text', (message) => this.#reads(message));
  }

  nameOf(number: string): string {
    for (let person = 0; person < this.count; person++) if (numberOf(person) === number) return NAMES[person] ?? number;
    return number;
  }

  join(person: number): void {
    this.#says(person, `JOIN ${NAMES[person]}`);
  }

  act(act: Act): void {
    switch (act.do) {
      case 'pay':
        this.#intents.set(`${act.who} ${act.cents}`, act);
        return this.#says(act.who, `PAY ${amount(act.cents)} ${national(act.to)} lunch`);
      case 'request':
        this.#intents.set(`${act.to} ${act.cents}`, act);
        return this.#says(act.who, `REQUEST ${amount(act.cents)} ${national(act.to)} taxi`);
      case 'pin':
        this.#intents.set(`${act.who} PIN`, act);
        return this.#says(act.who, act.text);
      case 'say':
        return this.#says(act.who, act.text);
      case 'say_at_once':
        for (const text of act.texts) this.#soon(act.withinMs, () => this.#says(act.who, text));
        return undefined;
      case 'guess': {
        const right = this.#chance.whole(0, act.count - 1);
        for (let guess = 0; guess < act.count; guess++) {
          const code = act.knows && guess === right ? this.#codes.get(act.victim) : undefined;
          this.#soon(act.withinMs, () => this.#says(act.victim, code ?? this.#guess()));
        }
        return undefined;
      }
      default:
        return act satisfies never;
    }
  }

  #soon(withinMs: number, work: () => void): void {
    this.#scheduler.after(withinMs * this.#chance.draw(), work);
  }

  #guess(): string {
    return String(this.#chance.whole(0, 999_999)).padStart(6, '0');
  }

  #says(person: number, body: string): void {
    const from = numberOf(person);
    this.#story.said(this.nameOf(from), '→', body);
    this.saying++;
    void this.#provider.account.sendFromPhone({ from, to: SERVER_NUMBER, body }).then(({ status }) => {
      this.saying--;
      if (status < 200 || status > 299) this.#scheduler.after(AGAIN_MS, () => this.#says(person, body));
    });
  }

  #reads({ to, body }: Message): void {
    this.#story.said(this.nameOf(to), '←', body);
    for (let person = 0; person < this.count; person++) {
      if (numberOf(person) !== to) continue;
      const [, quoted, code] = READ.quote.exec(body) ?? READ.request.exec(body) ?? [];
      if (quoted && code) this.#answers(person, String(centsOf(quoted)), code);
      const [, pinCode] = READ.pin.exec(body) ?? [];
      if (pinCode) this.#answers(person, 'PIN', pinCode);
      const [, asked, ref] = READ.requestSent.exec(body) ?? [];
      if (asked && ref) this.#withdraws(person, asked, ref);
    }
  }

  #answers(person: number, what: string, code: string): void {
    this.#codes.set(person, code);
    const intent = this.#intents.get(`${person} ${what}`);
    if (!intent) return;
    const later = (times: number, text: string) => this.#scheduler.after(times * intent.thinkMs, () => this.#says(person, text));
    switch (intent.reply) {
      case 'code':
        return void later(1, code);
      case 'code_twice':
        later(1, code);
        return void later(1, code);
      case 'no':
        return void later(1, `NO ${code}`);
      case 'wrong_first':
        later(1, this.#guess());
        return void later(2, code);
      case 'ignore':
      case 'withdraw':
        return undefined;
      default:
        return intent.reply satisfies never;
    }
  }

  #withdraws(person: number, asked: string, ref: string): void {
    const cents = centsOf(asked);
    for (const [key, intent] of this.#intents)
      if (key.endsWith(` ${cents}`) && intent.reply === 'withdraw')
        this.#scheduler.after(intent.thinkMs, () => this.#says(person, `NO ${ref}`));
  }
}

const centsOf = (text: string) => Math.round(Number(text.replaceAll(',', '')) * 100);
