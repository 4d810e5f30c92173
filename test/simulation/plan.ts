import type { ServiceName } from '#libs/testing';
import { Chance } from './chance.ts';
import type { BusFaults } from './bus.ts';
import type { Trap } from './process.ts';
import type { ProviderFaults } from './provider.ts';

/** What somebody does with a code that they get. */
export type Answer = 'code' | 'code_twice' | 'no' | 'ignore' | 'wrong_first';

/** Somebody does something. `who` and `to` are people by their place. */
export type Act =
  | { do: 'pay'; who: number; to: number; cents: number; reply: Answer; thinkMs: number }
  | { do: 'request'; who: number; to: number; cents: number; reply: Answer | 'withdraw'; thinkMs: number }
  | { do: 'pin'; who: number; text: string; reply: Answer; thinkMs: number }
  | { do: 'say'; who: number; text: string }
  | { do: 'say_at_once'; who: number; texts: string[]; withinMs: number }
  | { do: 'guess'; victim: number; count: number; withinMs: number; knows: boolean }
  /** An order under the id of a payment that was made or refused, with other contents. */
  | { do: 'order_again' };

/** Something goes wrong. What lasts ends after `forMs`. */
export type Fault =
  | ({ do: 'kill'; process: string } & Trap)
  /** `suspended`: its host sleeps, and its monotonic clock with it. */
  | ({ do: 'pause'; process: string; forMs: number; suspended?: boolean } & Trap)
  | { do: 'stop'; process: string }
  | { do: 'clock'; process: string; aheadMs: number; forMs: number }
  | { do: 'slow'; process: string; factor: number; forMs: number }
  | { do: 'nats_away'; forMs: number }
  | { do: 'nats_faults'; faults: Partial<BusFaults>; forMs: number }
  | { do: 'service_fails'; service: ServiceName; forMs: number }
  | { do: 'database_away'; forMs: number }
  | { do: 'database_steps_down'; forMs: number }
  | { do: 'database_lossy'; lostRequests: number; lostReplies: number; unconfirmed: number; forMs: number }
  | { do: 'database_refuses'; code: number; forMs: number }
  | { do: 'database_slow'; factor: number; forMs: number }
  | { do: 'provider'; faults: Partial<ProviderFaults>; forMs: number }
  | { do: 'unreachable'; who: number; forMs: number }
  /** The next SMS of somebody meets a bug: what it asks fails, and nothing else does. */
  | { do: 'poison'; who: number; forMs: number }
  | { do: 'replay_dead_letters' };

/** What happens `atMs` after the beginning. */
export type Step = { atMs: number } & (Act | Fault);

/** The whole of a world that is left to the seed: who is there, what they do, what goes wrong. */
export interface Plan {
  seed: number;
  people: number;
  processes: Record<ServiceName, number>;
  /** Processes of a release that lacks the newest messages, until faults end. */
  old: string[];
  steps: Step[];
  /** When all faults have ended. People may go on. */
  healMs: number;
}

/** What somebody does, beside what goes wrong. */
export const ACTS: readonly string[] = ['pay', 'request', 'pin', 'say', 'say_at_once', 'guess', 'order_again'];

export const isAct = (step: Step): step is { atMs: number } & Act => ACTS.includes(step.do);

/** When the last of the faults among some steps has ended. */
export function healMsOf(steps: readonly Step[]): number {
  return 1_000 + Math.max(0, ...steps.map((step) => (isAct(step) ? 0 : step.atMs + ('forMs' in step ? step.forMs : 0))));
}

/** The part of worlds in which an SMS meets a bug until it is given up: they take long. */
const POISONED = 0.005;

type Theme = (make: Maker) => void;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const chance = new Chance(seed, 'plan');
  const maker = new Maker(seed, chance);
  if (chance.is(POISONED)) poisoned(maker);
  else {
    chance.pick(THEMES)(maker);
    pins(maker, new Chance(seed, 'pins'));
  }
  return maker.plan();
}

class Maker {
  readonly chance: Chance;
  readonly #steps: Step[] = [];
  readonly #seed: number;
  people: number;
  processes: Record<ServiceName, number>;
  readonly #old: string[] = [];
  #cents = 100;
  /** How long people do things. */
  lastMs: number;

  constructor(seed: number, chance: Chance) {
    this.#seed = seed;
    this.chance = chance;
    this.people = chance.whole(2, 5);
    this.processes = {
      'sms-gateway': chance.whole(1, 3),
      transactions: chance.whole(1, 3),
      wallet: chance.whole(1, 3),
      notifications: chance.whole(1, 2),
    };
    this.lastMs = chance.whole(20, 120) * SECOND;
  }

  plan(): Plan {
    const steps = this.#steps.toSorted((one, other) => one.atMs - other.atMs);
    return {
      seed: this.#seed,
      people: this.people,
      processes: this.processes,
      old: this.#old,
      steps,
      // What is not done yet after that is told by the time it takes.
      healMs: this.#old.length > 0 ? Math.max(healMsOf(steps), this.lastMs) : healMsOf(steps),
    };
  }

  add(atMs: number, step: Act | Fault): void {
    this.#steps.push({ atMs: Math.round(atMs), ...step });
  }

  some(): number {
    return this.chance.whole(0, this.lastMs);
  }

  person(): number {
    return this.chance.whole(0, this.people - 1);
  }

  process(service?: ServiceName): string {
    const of = service ?? this.chance.pick(Object.keys(this.processes) as ServiceName[]);
    return `${of}-${this.chance.whole(1, this.processes[of])}`;
  }

  trap(service?: ServiceName): Trap & { process: string } {
    const process = this.process(service);
    const [at, most] = this.chance.is(0.5)
      ? ['', 60]
      : [this.chance.pick(PLACES[process.replace(/-\d$/, '') as ServiceName]), 10];
    return { process, at, places: this.chance.whole(0, most) };
  }

  /** An amount that nobody else pays in this world, so that a text is known by it. */
  cents(): number {
    this.#cents += this.chance.whole(1, 900);
    return this.chance.is(0.03) ? this.#cents + 10_000_000 : this.#cents;
  }

  answer(): Answer {
    return this.chance.pick(['code', 'code', 'code', 'code', 'code_twice', 'no', 'ignore', 'wrong_first']);
  }

  /** People do what people do. */
  life(acts: number): void {
    for (let act = 0; act < acts; act++) {
      const who = this.person();
      const to = this.chance.is(0.03) ? who : (who + this.chance.whole(1, this.people - 1)) % this.people;
      const thinkMs = Math.round(this.chance.wait(5 * SECOND));
      const atMs = this.some();
      const kind = this.chance.draw();
      if (kind < 0.45) this.add(atMs, { do: 'pay', who, to, cents: this.cents(), reply: this.answer(), thinkMs });
      else if (kind < 0.8)
        this.add(atMs, {
          do: 'request',
          who,
          to,
          cents: this.cents(),
          reply: this.chance.is(0.15) ? 'withdraw' : this.answer(),
          thinkMs,
        });
      else this.add(atMs, { do: 'say', who, text: this.chance.pick(WORDS) });
    }
  }

  /** Everybody pays the same one at the same time, and confirms it at the same time. */
  crowd(times: number): void {
    for (let time = 0; time < times; time++) {
      const atMs = this.some();
      const to = this.person();
      for (let who = 0; who < this.people; who++)
        if (who !== to) this.add(atMs, { do: 'pay', who, to, cents: this.cents(), reply: 'code', thinkMs: 1_000 });
    }
  }

  old(): void {
    const service = this.chance.pick(['transactions', 'notifications', 'wallet', 'sms-gateway'] as const);
    if (this.processes[service] > 1) this.#old.push(`${service}-1`);
  }
}

const WORDS = [
  'BAL',
  'HIST',
  'NO',
  'MENU',
  'JOIN Ann',
  'hello',
  'thanks!',
  'PAY',
  'PAY 10',
  'HIST 4K7MPQX',
  'NO 4K7MPQX',
  '123456',
  '🙂',
  '',
  'PAY 10 +4915112345678',
  'stop',
];

/** What a process does that is seldom, and matters. */
const PLACES: Record<ServiceName, readonly [string, ...string[]]> = {
  'sms-gateway': ['provider list', 'outbox', 'inbox', 'numbers'],
  transactions: [
    'waiting_rooms',
    'pin_changes',
    'payments insertOne',
    'payments updateOne',
    'notifications.tell',
    'wallet.transfer.make',
  ],
  wallet: ['transfers insertOne', 'wallets', 'links', 'pins'],
  notifications: ['gateway.texts.queue'],
};

const THEMES: Theme[] = [
  // Nothing goes wrong.
  (make) => {
    make.life(make.chance.whole(10, 120));
    for (let count = 0; count < 5; count++) make.add(make.some(), { do: 'order_again' });
  },
  crashes,
  crashes,
  pauses,
  busLoses,
  databaseTroubles,
  databaseTroubles,
  providerTroubles,
  providerTroubles,
  longOutage,
  bursts,
  bursts,
  crowds,
  clocks,
  everything,
  everything,
];

/** People set PINs and change them, rightly and wrongly, whatever else happens. */
function pins(make: Maker, chance: Chance): void {
  const some = () => chance.whole(0, make.lastMs);
  const person = () => chance.whole(0, make.people - 1);
  for (let count = chance.is(0.3) ? chance.whole(20, 60) : chance.whole(0, 12); count > 0; count--)
    make.add(some(), {
      do: 'pin',
      who: person(),
      text: chance.pick(PIN_TEXTS),
      reply: chance.pick(['code', 'code', 'code', 'code', 'code_twice', 'no', 'ignore', 'wrong_first']),
      thinkMs: Math.round(chance.wait(3 * SECOND)),
    });
  if (chance.is(0.15)) {
    const texts = Array.from({ length: chance.whole(6, 20) }, () => chance.pick(PIN_TEXTS));
    make.add(some(), { do: 'say_at_once', who: person(), withinMs: chance.pick([0, 500, 10_000]), texts });
  }
}

/** Of two PINs, so that an old one is often right; the rest is wrong, too easy or none. */
const PIN_TEXTS = ['PIN 8306', 'PIN 9417', 'PIN 8306 9417', 'PIN 9417 8306', 'PIN 5027 8306', 'PIN 1234', 'PIN 12'];

function crashes(make: Maker): void {
  make.life(make.chance.whole(20, 120));
  for (let count = make.chance.whole(1, 12); count > 0; count--) {
    const kind = make.chance.draw();
    if (kind < 0.6) make.add(make.some(), { do: 'kill', ...make.trap() });
    else if (kind < 0.8) make.add(make.some(), { do: 'stop', process: make.process() });
    else
      make.add(make.some(), {
        do: 'pause',
        ...make.trap(),
        suspended: make.chance.is(0.3),
        forMs: make.chance.whole(1, 90) * SECOND,
      });
  }
}

/** Processes stand still between what they claim and what they do with it, while others go on. */
function pauses(make: Maker): void {
  make.processes = { 'sms-gateway': 2, transactions: 2, wallet: 2, notifications: 2 };
  make.lastMs = make.chance.whole(2, 6) * MINUTE;
  make.life(make.chance.whole(40, 120));
  const service = make.chance.pick(['sms-gateway', 'sms-gateway', 'transactions'] as const);
  for (let count = make.chance.whole(4, 16); count > 0; count--) {
    const trap = make.trap(service);
    if (service === 'sms-gateway' && make.chance.is(0.7))
      Object.assign(trap, { at: 'after smspay_sms_gateway.outbox updateOne SM', places: make.chance.whole(0, 8) });
    make.add(make.some(), { do: 'pause', ...trap, suspended: make.chance.is(0.3), forMs: make.chance.whole(5, 60) * SECOND });
  }
  const faults = { lostReplies: 0.3, callbacksLost: make.chance.pick([0.5, 1]), broken: make.chance.pick([0.2, 0.5]) };
  make.add(2 * SECOND, { do: 'provider', faults, forMs: make.lastMs });
}

function busLoses(make: Maker): void {
  make.life(make.chance.whole(20, 120));
  make.old();
  for (let count = make.chance.whole(1, 4); count > 0; count--) {
    const forMs = make.chance.whole(5, 90) * SECOND;
    if (make.chance.is(0.4)) make.add(make.some(), { do: 'nats_away', forMs });
    else
      make.add(make.some(), {
        do: 'nats_faults',
        forMs,
        faults: {
          lost: make.chance.pick([0, 0.02, 0.1, 0.3]),
          doubled: make.chance.pick([0, 0.05, 0.3]),
          delayed: make.chance.pick([0, 0.05, 0.3]),
          delayMs: make.chance.pick([100, 1_000, 6_000]),
        },
      });
  }
}

function databaseTroubles(make: Maker): void {
  if (make.chance.is(0.4)) make.crowd(make.chance.whole(3, 10));
  make.life(make.chance.whole(20, 120));
  for (let count = make.chance.whole(1, 5); count > 0; count--) {
    const forMs = make.chance.whole(2, 60) * SECOND;
    const kind = make.chance.draw();
    if (kind < 0.2) make.add(make.some(), { do: 'database_away', forMs });
    else if (kind < 0.4) make.add(make.some(), { do: 'database_steps_down', forMs: make.chance.whole(1, 15) * SECOND });
    else if (kind < 0.7)
      make.add(make.some(), {
        do: 'database_lossy',
        lostRequests: make.chance.pick([0, 0.05, 0.2]),
        lostReplies: make.chance.pick([0, 0.05, 0.2, 0.5]),
        unconfirmed: make.chance.pick([0, 0.1, 0.5]),
        forMs,
      });
    else if (kind < 0.9)
      make.add(make.some(), { do: 'database_refuses', code: make.chance.pick([18, 13, 14_031, 8_000, 16_500, 189]), forMs });
    else make.add(make.some(), { do: 'database_slow', factor: make.chance.whole(10, 300), forMs });
  }
}

function providerTroubles(make: Maker): void {
  make.life(make.chance.whole(20, 120));
  for (let count = make.chance.whole(1, 4); count > 0; count--) {
    make.add(make.some(), { do: 'provider', faults: providerFaults(make.chance), forMs: make.chance.whole(5, 120) * SECOND });
  }
  if (make.chance.is(0.2)) make.add(make.some(), { do: 'unreachable', who: make.person(), forMs: 60 * SECOND });
}

function providerFaults(chance: Chance): Partial<ProviderFaults> {
  const some = (...parts: number[]) => chance.pick([0, 0, ...parts]);
  return {
    refused: some(0.1, 1),
    tooMany: some(0.1, 0.5, 1),
    broken: some(0.1, 0.5, 1),
    hangs: some(0.05, 0.3),
    lostReplies: some(0.1, 0.5),
    slowMs: some(500, 5_000),
    rejects: some(0.3, 1),
    listFails: chance.is(0.3),
    listCut: chance.is(0.2),
    listLateMs: some(1_000, 20_000),
    callbacksLost: some(0.2, 1),
    callbacksDoubled: some(0.2, 1),
    callbackMs: chance.pick([20, 500, 20_000]),
    webhooksDoubled: some(0.2, 1),
  };
}

function longOutage(make: Maker): void {
  make.lastMs = make.chance.whole(5, 60) * MINUTE;
  make.life(make.chance.whole(20, 80));
  const atMs = make.chance.whole(10, 60) * SECOND;
  const forMs = make.lastMs - atMs - 90 * SECOND;
  const fault = make.chance.pick<Fault>([
    { do: 'nats_away', forMs },
    { do: 'database_away', forMs },
    { do: 'service_fails', service: make.chance.pick(['wallet', 'transactions', 'notifications']), forMs },
    { do: 'database_refuses', code: make.chance.pick([18, 13, 14_031, 8_000, 16_500]), forMs },
    { do: 'provider', faults: { listFails: true, lostReplies: 1, callbacksLost: 1 }, forMs },
    // A report that comes when a text was given up.
    { do: 'provider', faults: { listFails: true, lostReplies: 1, callbackMs: 3 * MINUTE }, forMs },
    {
      do: 'provider',
      faults: make.chance.pick([{ broken: 1 }, { refused: 1 }, { tooMany: 1 }, { hangs: 1 }, { rejects: 1 }]),
      forMs,
    },
  ]);
  make.add(atMs, fault);
  // Who comes after it must not go before who waited.
  for (let count = make.chance.whole(5, 30); count > 0; count--)
    make.add(make.lastMs - make.chance.draw() * 90 * SECOND, { do: 'say', who: make.person(), text: 'BAL' });
  if (make.chance.is(0.5)) make.add(atMs + forMs + 20 * SECOND, { do: 'replay_dead_letters' });
}

/** One SMS meets a bug for longer than it takes to be given up; everybody else goes on. Then it is mended, and the operator replays it. */
function poisoned(make: Maker): void {
  const HOUR = 60 * MINUTE;
  make.processes = { 'sms-gateway': 1, transactions: 1, wallet: 1, notifications: 1 };
  make.lastMs = 7 * HOUR;
  const who = make.person();
  make.add(10 * SECOND, { do: 'poison', who, forMs: make.lastMs });
  make.add(11 * SECOND, { do: 'request', who, to: (who + 1) % make.people, cents: make.cents(), reply: 'code', thinkMs: 1_000 });
  for (let atMs = 12 * SECOND; atMs < make.lastMs; atMs += make.chance.wait(12 * SECOND))
    make.add(atMs, { do: 'say', who: make.person(), text: 'NO' });
  make.add(make.lastMs + 20 * SECOND, { do: 'replay_dead_letters' });
}

function bursts(make: Maker): void {
  make.life(make.chance.whole(10, 40));
  for (let count = make.chance.whole(1, 3); count > 0; count--) {
    const who = make.person();
    const to = (who + make.chance.whole(1, make.people - 1)) % make.people;
    const texts = make.chance.whole(6, 60);
    const withinMs = make.chance.pick([0, 50, 500, 10_000]);
    const kind = make.chance.draw();
    const many = (text: () => string) => Array.from({ length: texts }, text);
    if (kind < 0.25)
      make.add(make.some(), {
        do: 'say_at_once',
        who,
        withinMs,
        texts: many(() => `PAY ${amount(make.cents())} ${national(to)}`),
      });
    else if (kind < 0.5)
      make.add(make.some(), {
        do: 'say_at_once',
        who,
        withinMs,
        texts: many(() => `ASK ${amount(make.cents())} ${national(to)}`),
      });
    else if (kind < 0.65)
      make.add(make.some(), { do: 'say_at_once', who, withinMs, texts: many(() => make.chance.pick(['hi', 'what?', 'ok'])) });
    else make.add(make.some(), { do: 'guess', victim: who, count: texts, withinMs, knows: make.chance.is(0.7) });
    if (make.chance.is(0.3)) make.add(make.some(), { do: 'service_fails', service: 'notifications', forMs: 30 * SECOND });
  }
}

function crowds(make: Maker): void {
  make.people = 5;
  make.processes.wallet = 3;
  make.crowd(make.chance.whole(5, 20));
  make.life(make.chance.whole(5, 20));
  // Who lost a race for a place must not take an answer without a majority for a yes.
  if (make.chance.is(0.3)) {
    const faults = { lostRequests: 0, lostReplies: make.chance.pick([0, 0.2]), unconfirmed: 0.5 };
    make.add(2 * SECOND, { do: 'database_lossy', ...faults, forMs: make.lastMs });
    make.add(2 * SECOND, { do: 'database_slow', factor: make.chance.whole(20, 100), forMs: make.lastMs });
  }
}

function clocks(make: Maker): void {
  make.life(make.chance.whole(20, 100));
  for (let count = make.chance.whole(1, 4); count > 0; count--) {
    const aheadMs = make.chance.pick([1_500, 30_000, 3_600_000]) * (make.chance.is(0.5) ? 1 : -1);
    make.add(make.some(), { do: 'clock', process: make.process(), aheadMs, forMs: make.chance.whole(5, 120) * SECOND });
  }
}

function everything(make: Maker): void {
  for (const theme of [crashes, busLoses, databaseTroubles, providerTroubles, bursts, clocks])
    if (make.chance.is(0.5)) theme(make);
  make.life(20);
}

/** Cents as people write them. */
export const amount = (cents: number) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;

/** The number of the person at a place, E.164. */
export const numberOf = (person: number) => `+2547120000${String(person + 1).padStart(2, '0')}`;

/** The same as people of the country write it. */
export const national = (person: number) => numberOf(person).replace('+254', '0');

/** One line that says what a step is, for stories and shrinking. */
export function textOf(step: Step): string {
  const { atMs, do: what, ...rest } = step;
  return `${(atMs / 1000).toFixed(1)}s ${what} ${JSON.stringify(rest)}`;
}
