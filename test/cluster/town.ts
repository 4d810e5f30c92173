import { randomInt } from 'node:crypto';
import { type Checked, checkInvariants, DATABASES, keysOf } from '#libs/testing';
import type { PostedWebhook } from '#libs/simulated-twilio';
import { mongo as driver } from 'mongoose';
import { PhonesPage } from '../../tools/cluster-test/src/phones-page.ts';
import type { PostedWebhooks } from '../../tools/simulator/src/live.ts';
import { NAME, type PortForward, Release } from './release.ts';
import { pause, until } from './run.ts';

const PORT = 3000;
const MONGO_PORT = 27017;
/** How long people send again what was not taken, and wait for an answer. */
const PATIENCE_MS = 180_000;
const JOIN_MS = 60_000;
const JOINING_AT_ONCE = 8;
/** How many pay at once where it is measured what the machine sustains. */
const PAYERS = 12;
const WARM_UP_MS = 5_000;

/** What was seen while payments were made. */
export interface Seen {
  seconds: number;
  /** From the moment the PAY was due to the second of both receipts at the phones, of each payment. */
  latenciesMs: number[];
  webhooks: number;
  /** Those whose connection broke: posted a second time. */
  again: PostedWebhook[];
  /** Those that got no 2xx. */
  failed: PostedWebhook[];
}

/** Two people, and how much of their texts each has read. */
interface Pair {
  payer: Person;
  payee: Person;
}
interface Person {
  number: string;
  read: number;
}

/** A release whose phones and Twilio are the simulator in the cluster, which nothing here kills: payments between people who live there. */
export class Town {
  readonly release: Release;
  readonly #url: string;
  readonly #page: PhonesPage;
  #mongo: PortForward | undefined;
  /** Who has no payment under way; who waited longest comes first. */
  readonly #free: Pair[] = [];
  readonly #numbers: string[] = [];
  #payments = 0;
  /** When those under way were due. */
  readonly #underWay = new Set<number>();
  #sustained: Promise<number> | undefined;

  private constructor(release: Release, url: string, page: PhonesPage) {
    this.release = release;
    this.#url = url;
    this.#page = page;
  }

  /** In a release that has a simulator. */
  static async open(release: Release): Promise<Town> {
    const { port } = await release.forward(`service/${NAME}-simulator`, PORT);
    const url = `http://127.0.0.1:${port}`;
    return new Town(release, url, await PhonesPage.open(url));
  }

  close(): void {
    this.#page.close();
  }

  /** Payments of which both people were told. */
  get payments(): number {
    return this.#payments;
  }

  /** Payments a second that the machine sustains, measured once: people who pay again as soon as they can. */
  sustained(): Promise<number> {
    this.#sustained ??= this.pays({ payers: PAYERS }, () => pause(20_000)).then(
      ({ latenciesMs, seconds }) => latenciesMs.length / seconds,
    );
    return this.#sustained;
  }

  /** Half of what is sustained, while `act` goes on and a little longer. Then I1–I7, and each receipt once. */
  async underHalfLoad(act: () => Promise<unknown>, longestMs = 60_000): Promise<Seen> {
    const perSecond = (await this.sustained()) / 2;
    await this.#needPairs(Math.ceil((perSecond * longestMs) / 1_000));
    const seen = await this.pays({ perSecond }, act);
    await this.check();
    return seen;
  }

  /** Payments, begun by the clock or by `payers` at once, while `act` goes on. Resolves when the last one has both receipts. */
  async pays(load: { perSecond: number } | { payers: number }, act: () => Promise<unknown>): Promise<Seen> {
    if ('payers' in load) await this.#needPairs(load.payers);
    const before = await this.#webhooks();
    const [latenciesMs, underWay, problems]: [number[], Set<Promise<void>>, Error[]] = [[], new Set(), []];
    const payNext = async (dueAt: number) => {
      const pair = this.#free.shift();
      if (!pair) throw new Error('everybody has a payment under way');
      this.#underWay.add(dueAt);
      await this.#pay(pair).finally(() => this.#underWay.delete(dueAt));
      latenciesMs.push(performance.now() - dueAt);
      this.#free.push({ payer: pair.payee, payee: pair.payer });
    };
    const track = (work: Promise<void>) => {
      const tracked = work.catch((error: Error) => void problems.push(error)).finally(() => underWay.delete(tracked));
      underWay.add(tracked);
    };
    const stop = new AbortController();
    const began = performance.now();
    const payAgain = async () => {
      while (!stop.signal.aborted) await payNext(performance.now());
    };
    const payByClock = async (perSecond: number) => {
      for (let due = began; !stop.signal.aborted; due += 1_000 / perSecond) {
        await pause(Math.max(0, due - performance.now()));
        track(payNext(due));
      }
    };
    if ('payers' in load) for (let payer = 0; payer < load.payers; payer++) track(payAgain());
    const clock = 'perSecond' in load ? payByClock(load.perSecond) : undefined;
    try {
      await pause(WARM_UP_MS);
      await act();
      await pause(WARM_UP_MS);
    } finally {
      stop.abort();
      await clock;
    }
    const seconds = (performance.now() - began) / 1_000;
    const payments = latenciesMs.length;
    while (underWay.size > 0) await Promise.all(underWay);
    if (problems.length > 0) throw new Error(`${problems.length} payments failed, the first: ${problems[0]?.message}`);
    if (payments === 0) throw new Error('no payment was made');
    const { posted, again, failed } = await this.#webhooks();
    return {
      seconds,
      latenciesMs,
      webhooks: posted - before.posted,
      again: again.slice(before.again.length),
      failed: failed.slice(before.failed.length),
    };
  }

  /** Waits until all payments that are under way now have both receipts; how many they were, and how long that took. */
  async backlogGone(longestMs: number): Promise<string> {
    const now = performance.now();
    const left = () => [...this.#underWay].filter((dueAt) => dueAt < now).length;
    const payments = left();
    await until(
      async () => left() === 0,
      () => `the backlog of ${payments} payments; ${left()} are left of it`,
      longestMs,
    );
    return `backlog of ${payments} payments gone after ${((performance.now() - now) / 1_000).toFixed(1)} s`;
  }

  /** A payment between two new people. */
  async payOnce(): Promise<void> {
    await this.#needPairs(1);
    const pair = this.#free.shift();
    if (!pair) throw new Error('nobody is free');
    await this.#pay(pair);
    this.#free.push(pair);
  }

  /** I1–I7, and each payment that anybody was told of told once to both. */
  async check(): Promise<void> {
    this.#mongo ??= await this.release.forward(`service/${NAME}-mongodb`, MONGO_PORT);
    const uris = await this.release.secret(`${NAME}-mongodb`);
    const { 'keys.json': keys = '' } = await this.release.secret(`${NAME}-ledger-key`);
    const clients = new Map<string, driver.MongoClient>();
    for (const service of Object.keys(DATABASES)) {
      const uri = new URL(uris[service] ?? '');
      uri.host = `127.0.0.1:${this.#mongo.port}`;
      uri.searchParams.set('directConnection', 'true');
      uri.searchParams.delete('replicaSet');
      clients.set(
        service,
        await new driver.MongoClient(uri.href, { useBigInt64: true, readConcern: { level: 'majority' } }).connect(),
      );
    }
    const checked: Checked = {
      db: (service) => (clients.get(service) as driver.MongoClient).db(DATABASES[service]),
      ledgerKeys: keysOf(keys),
      taken: this.#page.taken,
      textsTo: (number) => this.#page.received(number),
    };
    try {
      await checkInvariants(checked, PATIENCE_MS);
    } finally {
      for (const client of clients.values()) await client.close();
    }
    this.#checkReceipts();
  }

  /** Each reference once at a payer and once at a payee. */
  #checkReceipts(): void {
    const told = { payer: new Map<string, number>(), payee: new Map<string, number>() };
    for (const number of this.#numbers) {
      for (const { body } of this.#page.received(number)) {
        const [, kind = '', ref = ''] = /^(Paid|You got) .* Ref (\w{7})$/s.exec(body) ?? [];
        const count = kind === 'Paid' ? told.payer : told.payee;
        if (ref) count.set(ref, (count.get(ref) ?? 0) + 1);
      }
    }
    const wrong = [...new Set([...told.payer.keys(), ...told.payee.keys()])].filter(
      (ref) => told.payer.get(ref) !== 1 || told.payee.get(ref) !== 1,
    );
    if (wrong.length > 0) throw new Error(`not told once to both: ${wrong.join(', ')}`);
    if (told.payer.size < this.#payments) throw new Error(`${this.#payments} payments, and receipts of ${told.payer.size}`);
  }

  async #pay({ payer, payee }: Pair): Promise<void> {
    await this.#page.insist(payer.number, `PAY 1 ${payee.number}`, PATIENCE_MS);
    const code = await this.#reads(payer, /Reply (\d{6,9})/);
    await this.#page.insist(payer.number, code, PATIENCE_MS);
    await Promise.all([this.#reads(payer, /^Paid KES 1\.00/), this.#reads(payee, /^You got KES 1\.00/)]);
    this.#payments++;
  }

  async #reads(person: Person, pattern: RegExp, waitMs = PATIENCE_MS): Promise<string> {
    const { match, place } = await this.#page.receives(person.number, pattern, waitMs, person.read);
    person.read = place + 1;
    return match[1] ?? '';
  }

  /** Opens wallets until there are so many pairs. */
  async #needPairs(count: number): Promise<void> {
    let missing = count - this.#numbers.length / 2;
    const opens = async () => {
      while (missing-- > 0) this.#free.push({ payer: await this.#joins(), payee: await this.#joins() });
    };
    await Promise.all(Array.from({ length: JOINING_AT_ONCE }, opens));
  }

  async #joins(): Promise<Person> {
    // Numbers of their own in each run: the database keeps those of earlier ones.
    const person = { number: `+2547${String(randomInt(10 ** 8)).padStart(8, '0')}`, read: 0 };
    this.#numbers.push(person.number);
    await this.#page.addPhone(person.number);
    await this.#page.insist(person.number, 'JOIN', JOIN_MS);
    await this.#reads(person, /^Welcome/, JOIN_MS);
    return person;
  }

  async #webhooks(): Promise<PostedWebhooks> {
    return (await (await fetch(`${this.#url}/webhooks`)).json()) as PostedWebhooks;
  }
}

/** Fails if any webhook got no 2xx. */
export function mustHaveAnswered(seen: Seen): Seen {
  if (seen.failed.length > 0) throw new Error(`${seen.failed.length} of ${seen.webhooks} webhooks failed: ${failuresOf(seen)}`);
  return seen;
}

/** The answers that were no 2xx, each with how many and from when to when. */
export function failuresOf({ failed }: Seen): string {
  const byStatus = Object.groupBy(failed, ({ status }) => String(status));
  return Object.entries(byStatus)
    .map(
      ([status, all = []]) =>
        `${all.length} × ${status === '0' ? 'no answer' : status}, ${timeOf(all[0])} to ${timeOf(all.at(-1))}`,
    )
    .join('; ');
}

const timeOf = (webhook: PostedWebhook | undefined) => (webhook ? new Date(webhook.at).toISOString().slice(11, 19) : '');

/** What was seen, in a line. */
export function saw({ seconds, latenciesMs, webhooks, again, failed }: Seen): string {
  const sorted = latenciesMs.toSorted((one, other) => one - other);
  const quantile = (share: number) => ((sorted[Math.ceil(sorted.length * share) - 1] ?? 0) / 1_000).toFixed(1);
  return (
    `${latenciesMs.length} payments in ${seconds.toFixed(0)} s, p50 ${quantile(0.5)} s, p99 ${quantile(0.99)} s; ` +
    `${webhooks} webhooks, ${failed.length} without 2xx, ${again.length} posted again`
  );
}
