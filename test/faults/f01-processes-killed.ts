import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Load, type Phone, seededRandom, type ServiceName, type ServiceProcess, SERVICES, Town, until } from '#libs/testing';

/** Every named point between two effects, by the service that has it, read from the source. */
function crashPoints(): Map<ServiceName, string[]> {
  const points = new Map<ServiceName, string[]>();
  for (const service of SERVICES) {
    const sources = globSync(`apps/${service}/src/**/*.ts`).filter((file) => !file.endsWith('.spec.ts'));
    const names = sources.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/crashPoint\('([^']+)'\)/g)].map(([, name = '']) => name),
    );
    points.set(service, [...new Set(names)]);
  }
  return points;
}

const QUOTE = /Reply (\d{6,9}) within/;
const PATIENCE_MS = 120_000;

/** People who do all that passes a crash point: they join, ask for their balance, pay, decline, guess and set a PIN, until `end()`. */
class Crowd {
  #ending = false;
  readonly #doing: Promise<void>[];

  constructor(town: Town, actors: number) {
    this.#doing = Array.from({ length: actors }, () => this.#live(town));
  }

  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#doing);
  }

  async #live(town: Town): Promise<void> {
    while (!this.#ending) {
      const [ada, ben] = [town.phone('Ada'), town.phone('Ben')];
      await Promise.all([this.#joins(ada), this.#joins(ben)]);
      await this.#pays(ada, ben);
      await this.#declines(ada, ben);
      await this.#guesses(ada, ben);
      await this.#setsPin(ben);
    }
  }

  async #joins(phone: Phone): Promise<void> {
    await phone.insists(`JOIN ${phone.name}`, PATIENCE_MS);
    await phone.receives(/^Welcome|^You have a wallet/, PATIENCE_MS);
  }

  async #pays(ada: Phone, ben: Phone): Promise<void> {
    await ada.insists(`PAY 1 ${ben.number}`, PATIENCE_MS);
    const [, code = ''] = await ada.receives(QUOTE, PATIENCE_MS);
    await ada.insists(code, PATIENCE_MS);
    await Promise.all([ada.receives(/^Paid KES 1\.00/, PATIENCE_MS), ben.receives(/^You got KES 1\.00/, PATIENCE_MS)]);
  }

  async #declines(ada: Phone, ben: Phone): Promise<void> {
    await ben.insists(`ASK 1 ${ada.number}`, PATIENCE_MS);
    const [, code = ''] = await ada.receives(QUOTE, PATIENCE_MS);
    await ada.insists(`NO ${code}`, PATIENCE_MS);
    await Promise.all([ada.receives(/You declined it/, PATIENCE_MS), ben.receives(/They declined it/, PATIENCE_MS)]);
  }

  async #setsPin(ben: Phone): Promise<void> {
    const sets = async (text: string) => {
      await ben.insists(text, PATIENCE_MS);
      const [, code = ''] = await ben.receives(/^Reply (\d{6}) within/, PATIENCE_MS);
      await ben.insists(code, PATIENCE_MS);
    };
    await sets('PIN 8306');
    await ben.receives(/^Your PIN is set/, PATIENCE_MS);
    // Whatever was killed, the first one is set, and this is no second try.
    await sets('PIN 5027 9417');
    await ben.receives(/^Your PIN was not changed: the old one is wrong\. 2 tries left/, PATIENCE_MS);
    await sets('PIN 8306 9417');
    await ben.receives(/^Your PIN is set/, PATIENCE_MS);
  }

  async #guesses(ada: Phone, ben: Phone): Promise<void> {
    await ada.insists(`PAY 1 ${ben.number}`, PATIENCE_MS);
    const [, code = ''] = await ada.receives(QUOTE, PATIENCE_MS);
    const wrong = code === '999999' ? '888888' : '999999';
    const guesses = async () => {
      await ada.insists(wrong, PATIENCE_MS);
      await ada.receives(/fits nothing that is open/, PATIENCE_MS);
    };
    for (let guess = 0; guess < 4; guess++) await guesses();
    // Which of the two texts comes first, a kill between them decides.
    const [[, long = '']] = await Promise.all([ada.receives(/Reply (\d{9}) within/, PATIENCE_MS), guesses()]);
    await ada.insists(`NO ${long}`, PATIENCE_MS);
    await ada.receives(/You cancelled it/, PATIENCE_MS);
  }
}

describe('F1: kill -9', () => {
  it.each([...crashPoints()])(
    'of %s at each point between two effects loses nothing and doubles nothing',
    async (service, points) => {
      expect(points.length).toBeGreaterThan(0);
      const town = await Town.open({ processes: { [service]: points.length }, env: { WELCOME_CREDIT: '50.00' } });
      try {
        const crowd = new Crowd(town, 3);
        const hit = new Set<string>();
        // Each process dies at a point of its own, and comes back whole.
        const lives = town.of(service).map(async (process, index) => {
          const point = points[index] ?? '';
          await process.kill();
          // It may be hit before anybody has looked whether it is ready.
          await process.start({ SMSPAY_CRASH_AT: point }, { waitReady: false });
          if ((await process.ended()) === 'SIGKILL') hit.add(point);
          await process.start();
        });
        const broken = Promise.all(lives).then(() => new Promise<never>(() => undefined));
        const allHit = until(() => hit.size === points.length, {
          timeoutMs: 240_000,
          what: () => `each point to be hit; not hit: ${points.filter((point) => !hit.has(point)).join(', ')}`,
        });
        // A process that does not come back is told at once.
        await Promise.race([allHit, broken]);
        await Promise.all(lives);
        await crowd.end();
        await town.checkInvariants(90_000);
      } finally {
        await town.close();
      }
    },
    420_000,
  );

  const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  it(`of any process at any time (SEED=${SEED})`, async () => {
    const random = seededRandom(SEED);
    const town = await Town.open({ processes: { 'sms-gateway': 2, transactions: 2, wallet: 2, notifications: 2 } });
    try {
      const load = await Load.start(town, 4, PATIENCE_MS);
      for (let death = 0; death < 8; death++) {
        const victim = town.processes[Math.floor(random() * town.processes.length)] as ServiceProcess;
        const before = load.payments;
        await until(() => load.payments > before, { timeoutMs: PATIENCE_MS, what: () => `a payment before death ${death}` });
        await new Promise((resolve) => setTimeout(resolve, random() * 200));
        await victim.kill();
        await victim.start();
      }
      await load.end();
      await town.checkInvariants(90_000);
    } finally {
      await town.close();
    }
  }, 300_000);
});
