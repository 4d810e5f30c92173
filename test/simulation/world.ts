import {
  type Asker,
  type Cause,
  feesAccount,
  LetterBox,
  ListDeadLetters,
  ReadLedger,
  MakeTransfer,
  minorUnits,
  type PaymentId,
  payOf,
  type Ref,
  refText,
  ReplayDeadLetters,
  walletAccount,
} from '#libs/contracts';
import { ledgerOf, type TransferDocument, verify } from '#libs/ledger';
import { RpcClient } from '#libs/messaging';
import { Metrics } from '#libs/runtime';
import { Database, type RunningService } from '#libs/nest-service';
import { brokenInvariants, DATABASES, ledgerProblems, type ServiceName, type Stored } from '#libs/testing';
import { SimulatedBus } from './bus.ts';
import { Chance } from './chance.ts';
import { putIn } from './http.ts';
import { Model } from './model.ts';
import { People } from './people.ts';
import { type Fault, isAct, numberOf, type Plan, type Step, textOf } from './plan.ts';
import { SimulatedProcess } from './process.ts';
import { NO_PROVIDER_FAULTS, SimulatedProvider } from './provider.ts';
import { Scheduler } from './scheduler.ts';
import { ACCOUNT_SID, AUTH_TOKEN, bootService, KEYS, logged, PUBLIC_URL, SERVER_NUMBER, TIME_ZONE } from './services.ts';
import { noFaults } from './store/faults.ts';
import { SimulatedMongo } from './store/simulated-mongo.ts';
import { Story } from './story.ts';

/** A Monday noon in Nairobi. */
const START_MS = Date.UTC(2026, 0, 26, 9);
const JOIN_MS = 5_000;
const RESTART_MS = 1_000;
/** A question to a service that failed is answered by then. */
const FAILED_LATELY_MS = 10_000;
/** What is under way for so long after all faults have ended is stuck. */
const PATIENCE_MS = 4 * 60_000;
/** Longer than anything stays open. */
const SCRAPE_MS = 5_000;
const LIFE_MS = 15 * 60_000;
const LOOK_MS = 1_000;
const OVERTAKEN_BY_MS = 60_000;
const OVERTAKEN_FOR_MS = 45_000;
const READY_MS = 25_000;

/** A process and those that came before it under its name. */
interface Place {
  name: string;
  service: ServiceName;
  starts: number;
  skewMs: number;
  process?: SimulatedProcess;
  running?: RunningService | undefined;
}

/** How a life of the world ended. */
export interface Ending {
  /** What is broken; empty if all is well. */
  broken: string[];
  story: readonly string[];
  /** SMS that people sent. */
  sms: number;
  /** SMS that the provider took for people. */
  texts: number;
  /** Events of the world. */
  steps: number;
  /** Virtual time that passed. */
  ms: number;
}

/** All of smspay, its people and its surroundings, under one seed. */
export class World {
  readonly #plan: Plan;
  readonly #scheduler = new Scheduler(START_MS);
  readonly #story: Story;
  readonly #chance: Chance;
  readonly #mongo: SimulatedMongo;
  readonly #bus: SimulatedBus;
  readonly #provider: SimulatedProvider;
  readonly #people: People;
  readonly #model: Model;
  readonly #places: Place[];
  readonly #old: Set<string>;
  readonly #taken = new Set<string>();
  /** What a majority of the database has, by `<database>.<collection>` and id. */
  readonly #committed = new Map<string, Map<string, Stored>>();
  #failing: Set<ServiceName> = new Set();
  #failedAtMs = -Infinity;
  /** Numbers whose next SMS meets a bug, and SMS that do. */
  readonly #poisoning = new Set<string>();
  readonly #poison = new Set<string>();
  #healed = false;
  /** SMS answered since all faults have ended. */
  readonly #answered: { recordedMs: number; atMs: number }[] = [];
  /** Since when what is under way is, after all faults have ended. */
  #since = new Map<string, number>();
  #sms = 0;
  #texts = 0;

  constructor(plan: Plan, { kept = false }: { kept?: boolean } = {}) {
    this.#plan = plan;
    this.#chance = new Chance(plan.seed, 'world');
    this.#story = new Story(() => this.#scheduler.nowMs, kept);
    this.#old = new Set(plan.old);
    this.#mongo = new SimulatedMongo({ scheduler: this.#scheduler, chance: this.#chance.of('mongo') });
    this.#bus = new SimulatedBus(this.#scheduler, this.#chance.of('bus'));
    this.#provider = new SimulatedProvider(
      { accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, number: SERVER_NUMBER, publicUrl: PUBLIC_URL },
      {
        scheduler: this.#scheduler,
        chance: this.#chance.of('provider'),
        story: this.#story,
        gateways: () => this.#ready('sms-gateway'),
      },
    );
    this.#people = new People(plan.people, {
      scheduler: this.#scheduler,
      chance: this.#chance.of('people'),
      story: this.#story,
      provider: this.#provider,
    });
    this.#model = new Model({
      nowMs: () => this.#scheduler.nowMs,
      committed: (service, collection, id) => this.#committed.get(`${DATABASES[service]}.${collection}`)?.get(id),
      missed: (sid) => this.#provider.missed.has(sid),
    });
    this.#model.refText = (ref) => refText(ref as Ref);
    this.#places = Object.entries(plan.processes).flatMap(([service, count]) =>
      Array.from({ length: count }, (_, index) => ({
        name: `${service}-${index + 1}`,
        service: service as ServiceName,
        starts: 0,
        skewMs: 0,
      })),
    );
    this.#watch();
  }

  /** Lives the plan to its end. */
  async live(): Promise<Ending> {
    logged.hear = (line) => this.#story.did('log', line);
    try {
      for (const place of this.#places) this.#scheduler.after(0, () => this.#start(place));
      for (let person = 0; person < this.#plan.people; person++)
        this.#scheduler.after(JOIN_MS - 2_000, () => this.#people.join(person));
      for (const step of this.#plan.steps) this.#scheduler.at(START_MS + JOIN_MS + step.atMs, () => this.#do(step));
      const healAt = START_MS + JOIN_MS + this.#plan.healMs;
      this.#scheduler.at(healAt, () => this.#heal());
      await this.#scheduler.run(healAt);
      const lastAt = START_MS + JOIN_MS + Math.max(0, ...this.#plan.steps.map(({ atMs }) => atMs));
      const endAt = Math.max(healAt, lastAt) + LIFE_MS;
      for (let atMs = healAt; this.#well() && atMs < endAt && (atMs < lastAt || !this.#atRest()); atMs += LOOK_MS) {
        this.#lookForStuck();
        this.#lookForOvertaken();
        await this.#scheduler.run(atMs + LOOK_MS);
      }
      if (this.#well()) await this.#checkEnd();
    } finally {
      for (const { process } of this.#places) process?.end();
      this.#mongo.forget();
    }
    return {
      broken: this.#model.broken,
      story: this.#story.lines,
      sms: this.#sms,
      texts: this.#texts,
      steps: this.#scheduler.steps,
      ms: this.#scheduler.nowMs - START_MS,
    };
  }

  #well(): boolean {
    return this.#model.broken.length === 0;
  }

  #watch(): void {
    const look = () => {
      if (!this.#well()) this.#scheduler.stop();
    };
    this.#mongo.onUnserved((what) => {
      this.#model.broken.push(`index: no declared index serves ${what}`);
      look();
    });
    this.#mongo.onCommit((database, collection, ...change) => {
      const [before, after] = change as unknown as [Stored | undefined, Stored | undefined];
      const documents = this.#committed.get(`${database}.${collection}`) ?? new Map<string, Stored>();
      this.#committed.set(`${database}.${collection}`, documents);
      if (after) documents.set(after._id, after);
      else if (before) documents.delete(before._id);
      this.#model.committed(database, collection, before, after);
      if (collection === 'inbox' && this.#healed && after?.['outcome'] && !before?.['outcome'])
        this.#answered.push({ recordedMs: after['recordedAt'].getTime(), atMs: this.#scheduler.nowMs });
      look();
    });
    this.#provider.onTaken = (sid) => {
      this.#taken.add(sid);
      this.#model.taken(sid);
      look();
    };
    this.#provider.account.on('status', (message) => {
      if (message.direction === 'inbound' && message.status === 'receiving') {
        this.#sms++;
        this.#model.sent(message);
        if (this.#poisoning.delete(message.from)) {
          this.#poison.add(message.sid);
          this.#model.poisoned.add(message.sid);
        }
      }
      if (message.direction !== 'outbound-api' || message.status !== 'queued') return;
      this.#texts++;
      this.#model.posted(message);
      look();
    });
    this.#provider.account.on('text', (message) => {
      if (message.direction === 'outbound-api') this.#model.told(message);
      look();
    });
    this.#bus.onDelivered = ({ subject, body }) => {
      if (subject !== 'transactions.carry_out') return;
      const { smsId, from } = JSON.parse(body) as { smsId: string; from: string };
      this.#model.asked(smsId, from);
    };
    this.#bus.translate = (body, reader) => (this.#old.has(reader.name) ? newer(body) : body);
    this.#bus.onFault = ({ name }, subject) => {
      // Whoever asks a service that fails takes that for a fault of the question, until it has done nothing else for a while.
      if (this.#failing.size > 0 || this.#scheduler.nowMs - this.#failedAtMs < FAILED_LATELY_MS) return;
      this.#model.broken.push(`fault: ${name} failed at ${subject}: nothing here is a fault of just what is asked`);
      look();
    };
    this.#bus.fails = (service, body) =>
      this.#failing.has(service as ServiceName) ||
      (service === 'transactions' && [...this.#poison].some((smsId) => body.includes(smsId)));
  }

  #ready(service: ServiceName): { process: SimulatedProcess; app: RunningService['app'] }[] {
    return this.#places.flatMap(({ service: of, process, running }) =>
      of === service && process?.alive && running && running.app.get(Database).problem === undefined
        ? [{ process, app: running.app }]
        : [],
    );
  }

  async #start(place: Place): Promise<void> {
    if (place.process?.alive) return;
    place.starts++;
    const process = new SimulatedProcess(place.name, {
      scheduler: this.#scheduler,
      chance: this.#chance.of(`${place.name} ${place.starts}`),
      story: this.#story,
    });
    process.skewMs = place.skewMs;
    place.process = process;
    place.running = undefined;
    const databaseHost = this.#mongo.register(`${place.name}-${place.starts}`, process);
    process.onEnd(() => {
      place.running = undefined;
      this.#scheduler.after(RESTART_MS * (1 + this.#chance.draw()), () => this.#start(place));
    });
    place.running = await bootService(place.service, process, { bus: this.#bus, provider: this.#provider, databaseHost });
  }

  #place(name: string): Place {
    const place = this.#places.find((candidate) => candidate.name === name);
    if (!place) throw new Error(`no process ${name}`);
    return place;
  }

  #do(step: Step): void {
    if (!isAct(step)) {
      this.#story.fault(textOf(step));
      return this.#goesWrong(step);
    }
    return step.do === 'order_again' ? void this.#orderAgain() : this.#people.act(step);
  }

  #goesWrong(fault: Fault): void {
    const afterwards = (end: () => void) => 'forMs' in fault && this.#scheduler.after(fault.forMs, end);
    switch (fault.do) {
      case 'kill':
        return void this.#place(fault.process).process?.trap(fault, (place) => this.#place(fault.process).process?.kill(place));
      case 'pause': {
        const { process } = this.#place(fault.process);
        const pause = (place: string) => {
          // No process can know that it stood still between its last look at the clock and the next instruction.
          if (place.startsWith('before provider send')) return process?.trap({ places: 0, at: '' }, pause);
          process?.pause(place, fault.suspended);
          afterwards(() => process?.resume());
        };
        return process?.trap(fault, pause);
      }
      case 'stop':
        return this.#stop(this.#place(fault.process));
      case 'clock': {
        const place = this.#place(fault.process);
        const set = (skewMs: number) => {
          place.skewMs = skewMs;
          if (place.process) place.process.skewMs = skewMs;
        };
        set(fault.aheadMs);
        return void afterwards(() => set(0));
      }
      case 'slow': {
        const { process } = this.#place(fault.process);
        if (process) process.slowness = fault.factor;
        return void afterwards(() => process && (process.slowness = 1));
      }
      case 'nats_away':
        this.#bus.goAway();
        return void afterwards(() => this.#bus.comeBack());
      case 'nats_faults':
        Object.assign(this.#bus.faults, fault.faults);
        return void afterwards(() => Object.assign(this.#bus.faults, { lost: 0, doubled: 0, delayed: 0 }));
      case 'service_fails':
        this.#failing.add(fault.service);
        return void afterwards(() => {
          this.#failing.delete(fault.service);
          this.#failedAtMs = this.#scheduler.nowMs;
        });
      case 'database_away':
      case 'database_steps_down':
      case 'database_lossy':
      case 'database_refuses':
      case 'database_slow':
        return this.#databaseGoesWrong(fault);
      case 'provider':
        this.#provider.faults = { ...NO_PROVIDER_FAULTS, ...fault.faults };
        return void afterwards(() => (this.#provider.faults = NO_PROVIDER_FAULTS));
      case 'unreachable':
        this.#provider.account.unreachable.add(numberOf(fault.who));
        return void afterwards(() => this.#provider.account.unreachable.delete(numberOf(fault.who)));
      case 'poison':
        this.#poisoning.add(numberOf(fault.who));
        return void afterwards(() => {
          this.#checkPoison();
          this.#poison.clear();
        });
      case 'replay_dead_letters':
        return void this.#replay();
      default:
        return fault satisfies never;
    }
  }

  #databaseGoesWrong(fault: Extract<Fault, { do: `database_${string}` }>): void {
    const { faults } = this.#mongo;
    const afterwards = (end: () => void) => this.#scheduler.after(fault.forMs, end);
    switch (fault.do) {
      case 'database_away':
        this.#mongo.goAway();
        return void afterwards(() => this.#mongo.comeBack());
      case 'database_steps_down':
        return void this.#mongo.stepDown({ electionMs: fault.forMs });
      case 'database_lossy':
        Object.assign(faults, { lostRequests: fault.lostRequests, lostReplies: fault.lostReplies });
        if (fault.unconfirmed > 0) faults.writeConcernErrors = { part: fault.unconfirmed, code: 64, hidesDuplicates: true };
        return void afterwards(() => Object.assign(faults, noFaults()));
      case 'database_refuses':
        faults.failing = { code: fault.code, of: fault.code === 14_031 ? 'writes' : 'all' };
        if (fault.code === 14_031 && fault.forMs > READY_MS) {
          const sinceMs = this.#scheduler.nowMs;
          this.#scheduler.after(READY_MS, () => {
            if (faults.failing?.code === 14_031) this.#lookForFalseReadiness(sinceMs);
          });
        }
        return void afterwards(() => (faults.failing = undefined));
      case 'database_slow':
        faults.slowness = fault.factor;
        return void afterwards(() => (faults.slowness = 1));
      default:
        return fault satisfies never;
    }
  }

  /** What met a bug for hours while others passed was given up, and nobody else waited for it. */
  #checkPoison(): void {
    for (const { _id, dead, outcome, recordedAt } of this.#documents('sms-gateway', 'inbox')) {
      if (this.#poison.has(_id)) {
        if (!dead) this.#model.broken.push(`F11: SMS ${_id} failed for hours and is no dead letter`);
      } else if (outcome === undefined && this.#scheduler.nowMs - recordedAt.getTime() > 60_000)
        this.#model.broken.push(`F11: SMS ${_id} waits for one that fails`);
    }
    if (!this.#well()) this.#scheduler.stop();
  }

  /** SIGTERM. */
  #stop(place: Place): void {
    const { process, running } = place;
    if (!process?.alive || !running) return;
    void running.drain().then(() => {
      this.#story.fault(`${place.name} has stopped`);
      process.end();
    });
  }

  /** Somebody beside the services, with the credential of one. */
  #asker(name: string, credential: Asker): RpcClient {
    const process = new SimulatedProcess(name, {
      scheduler: this.#scheduler,
      chance: this.#chance.of(name),
      story: this.#story,
    });
    return new RpcClient(this.#bus.connect(process, credential), process.host, new Metrics(process.host));
  }

  /** The id of a decided payment comes again with other contents: what was decided must not be told as the answer to that. */
  async #orderAgain(): Promise<void> {
    const decided = this.#documents('transactions', 'payments').filter(({ closedBy }) => closedBy !== undefined);
    if (decided.length === 0) return;
    const payment = this.#chance.pick(decided);
    const change = this.#chance.pick(['amount', 'fee', 'to', 'nothing'] as const);
    const answer = await this.#asker('another', 'transactions')
      .ask(MakeTransfer, {
        transferId: payOf(payment._id as PaymentId),
        kind: 'payment',
        from: walletAccount(payment['payer'].walletId),
        to: change === 'to' ? feesAccount(payment['currency']) : walletAccount(payment['payee'].walletId),
        amount: minorUnits(payment['amount'] + (change === 'amount' ? 1n : 0n)),
        fee: minorUnits(payment['fee'] + (change === 'fee' ? 1n : 0n)),
        currency: payment['currency'],
        paymentId: payment._id as PaymentId,
        ref: payment['ref'],
        memo: '',
        cause: 'again' as Cause,
      })
      .catch(() => undefined);
    const right = payment['state'] !== 'completed' ? 'refused' : change === 'nothing' ? 'made' : 'id_taken';
    if (answer && answer.result !== right)
      this.#model.broken.push(
        `I5: an order of ${payment._id} with ${change} changed was answered as ${answer.result}, not ${right}`,
      );
    if (!this.#well()) this.#scheduler.stop();
  }

  /** An operator replays all dead letters. */
  async #replay(): Promise<void> {
    const services = this.#asker('operator', 'admin');
    try {
      for (const box of LetterBox.options) {
        const { letters } = await services.ask(ListDeadLetters, { box, limit: 100 });
        const ids = letters.map(({ id }) => id);
        if (ids.length > 0) await services.ask(ReplayDeadLetters, { box, ids });
        await services.ask(ReplayDeadLetters, { box });
      }
    } catch (error) {
      this.#story.fault(`the operator: ${(error as Error).message}`);
    }
  }

  async #readLedger(): Promise<void> {
    const services = this.#asker('reader', 'admin');
    const [first] = this.#documents('wallet', 'transfers');
    const page = await services.ask(ReadLedger, { limit: 10 }).catch(() => undefined);
    if (first && page?.entries.length === 0) this.#model.broken.push('I7: the ledger is read as empty');
    const last = page?.entries.at(-1);
    if (last) await services.ask(ReadLedger, { since: last.at, after: last.transferId, limit: 10 }).catch(() => undefined);
  }

  /** All faults end: everything is there again, in its newest release, with a right clock. */
  #heal(): void {
    this.#story.fault('all faults end');
    this.#healed = true;
    this.#old.clear();
    if (this.#failing.size > 0) this.#failedAtMs = this.#scheduler.nowMs;
    this.#failing.clear();
    this.#bus.comeBack();
    Object.assign(this.#bus.faults, { lost: 0, doubled: 0, delayed: 0 });
    this.#mongo.heal();
    this.#provider.faults = NO_PROVIDER_FAULTS;
    this.#provider.account.unreachable.clear();
    for (const place of this.#places) {
      place.skewMs = 0;
      const { process } = place;
      if (!process) continue;
      process.skewMs = 0;
      process.slowness = 1;
      process.untrap();
      process.resume();
    }
    this.#scheduler.after(SCRAPE_MS, () => this.#scrape());
  }

  /** Prometheus asks everybody once, and an operator reads the ledger: what they read for it is read by its indexes. */
  #scrape(): void {
    void this.#readLedger();
    const request = { method: 'GET', url: '/metrics', headers: {}, body: '' };
    for (const { running, process } of this.#places) if (running && process?.alive) void putIn(running.app, request);
  }

  #documents(service: keyof typeof DATABASES, collection: string): readonly Stored[] {
    return [...(this.#committed.get(`${DATABASES[service]}.${collection}`)?.values() ?? [])];
  }

  /** Nothing is under way, and nothing waits for anybody. */
  #atRest(): boolean {
    const isOpen = ({ state }: Stored) => state === 'awaiting_confirmation' || state === 'awaiting_approval';
    const waits = ({ state }: Stored) => state === 'waits';
    return (
      this.#healed &&
      this.#underWay().length === 0 &&
      !this.#documents('transactions', 'payments').some(isOpen) &&
      !this.#documents('transactions', 'pin_changes').some(waits)
    );
  }

  /** What has no outcome though it could have one. */
  #underWay(): string[] {
    const nowMs = this.#scheduler.nowMs;
    const due = (document: Stored) => document['nextTryAt'] !== undefined;
    return [
      ...(this.#people.saying > 0 ? [`${this.#people.saying} SMS are not taken`] : []),
      ...this.#documents('sms-gateway', 'inbox')
        .filter(due)
        .map(({ _id }) => `SMS ${_id} has no outcome`),
      ...this.#documents('sms-gateway', 'outbox')
        .filter(due)
        .map(({ _id, state }) => `text ${_id} is ${state}`),
      ...this.#documents('transactions', 'payments')
        .filter(({ untold, refuseAt, nextTryAt }) => untold.length > 0 || (nextTryAt && refuseAt?.getTime() < nowMs - 60_000))
        .map(({ _id, state, untold }) => `payment ${_id} is ${state}, untold: ${untold.join()}`),
      ...this.#documents('transactions', 'pin_changes')
        .filter(({ state, untold }) => untold.length > 0 || state === 'confirmed')
        .map(({ _id, state, untold }) => `PIN ${_id} is ${state}, untold: ${untold.join()}`),
    ];
  }

  /** What is under way without an end though nothing goes wrong any more. */
  #lookForStuck(): void {
    const nowMs = this.#scheduler.nowMs;
    const before = this.#since;
    this.#since = new Map(this.#underWay().map((what) => [what, before.get(what) ?? nowMs]));
    const stuck = [...this.#since].filter(([, sinceMs]) => nowMs - sinceMs > PATIENCE_MS).map(([what]) => what);
    if (stuck.length > 0) this.#model.broken.push(`liveness: for ${PATIENCE_MS / 60_000} min ${stuck.join('; ')}`);
  }

  /** Who waited through an outage is answered before who came after it, but for a moment. */
  #lookForOvertaken(): void {
    for (const { _id, recordedAt, outcome } of this.#documents('sms-gateway', 'inbox')) {
      if (outcome !== undefined) continue;
      const overtaken = this.#answered.find((later) => later.recordedMs > recordedAt.getTime() + OVERTAKEN_BY_MS);
      if (overtaken && this.#scheduler.nowMs - overtaken.atMs > OVERTAKEN_FOR_MS)
        this.#model.broken.push(`F25: SMS ${_id} waits while one that came a minute later was answered long ago`);
    }
  }

  /** A process whose every write fails is not ready, however well its database answers a ping. */
  #lookForFalseReadiness(sinceMs: number): void {
    for (const { name, service, process, running } of this.#places) {
      if (
        !running ||
        !process?.alive ||
        process.paused ||
        service === 'notifications' ||
        Math.max(process.bornMs, process.awokeAtMs) > sinceMs - 10_000
      )
        continue;
      void putIn(running.app, { method: 'GET', url: '/health/ready', headers: {}, body: '' }).then((status) => {
        if (status !== 200 || !process.alive) return;
        this.#model.broken.push(`F25: ${name} says that it is ready, and each of its writes has failed for 25 s`);
        this.#scheduler.stop();
      });
    }
  }

  async #checkEnd(): Promise<void> {
    const transfers = this.#documents('wallet', 'transfers');
    const report = await verify(ledgerOf(transfers as unknown as readonly TransferDocument[]), KEYS, TIME_ZONE);
    const inbox = this.#documents('sms-gateway', 'inbox');
    const outbox = this.#documents('sms-gateway', 'outbox');
    const dead = [...inbox, ...outbox].filter(({ dead, refused, errorCode }) => dead || (refused && errorCode !== 21_610));
    const { account, missed } = this.#provider;
    const { sentAgain } = this.#model;
    this.#model.broken.push(
      ...this.#underWay().map((what) => `liveness: at the end ${what}`),
      ...ledgerProblems(report),
      ...brokenInvariants({
        inbox,
        outbox,
        payments: this.#documents('transactions', 'payments'),
        pinChanges: this.#documents('transactions', 'pin_changes'),
        pins: this.#documents('wallet', 'pins'),
        transfers,
        taken: this.#taken,
        textsTo: (number) =>
          account
            .textsTo(number)
            .filter(({ direction, sid }) => direction === 'outbound-api' && !sentAgain.has(sid) && !missed.has(sid)),
      }),
      ...dead.map(({ _id, dead: letter, refused }) => `liveness: ${_id} was given up: ${(letter ?? refused).reason}`),
      ...this.#unanswered(inbox, outbox),
    );
  }

  /** SMS that were not met with silence, and whose sender was told nothing. */
  #unanswered(inbox: readonly Stored[], outbox: readonly Stored[]): string[] {
    const told = new Set(outbox.map(({ _id }) => _id));
    const closable = [...this.#documents('transactions', 'payments'), ...this.#documents('transactions', 'pin_changes')];
    return inbox.flatMap(({ _id: sid, from, outcome }) => {
      if (['silence', 'reserved', 'country_not_served', 'sender_is_no_phone'].includes(outcome)) return [];
      const of = (id: string, ...tales: string[]) => tales.some((tale) => told.has(`${id}:${tale}:${from}`));
      const closed = () => closable.find(({ closedBy }) => closedBy === sid)?._id ?? '';
      const answered =
        of(sid, 'answer', 'quote', 'quote:9', 'request_sent', 'not_opened', 'pin_code', 'pin_code:9') ||
        of(sid, 'paid', 'not_paid') ||
        of(closed(), 'paid', 'not_paid', 'received', 'not_received', 'pin_outcome');
      return answered ? [] : [`I4: SMS ${sid} came out as ${outcome}, and ${from} was told nothing`];
    });
  }
}

/** A body in words that an older release does not know: the types of some messages are new to it. */
function newer(body: string): string {
  return body.replace(
    /"type":"(received|history|request|status|wrong_code|pin|pin_code|pin_outcome)"/g,
    '"type":"$1_of_a_newer_release"',
  );
}
