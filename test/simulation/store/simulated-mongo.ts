import type { Caller, Outcome } from '../caller.ts';
import type { Chance } from '../chance.ts';
import type { Due, Scheduler } from '../scheduler.ts';
import { NEWEST, Walk } from './collection.ts';
import type { Command, Primary } from './commands.ts';
import { brokenConnection, noServer, silentConnection } from './driver-errors.ts';
import { simulateMongo } from './driver.ts';
import { addEndpoint, forgetEndpoint, nextDomain } from './endpoints.ts';
import { type Failure, type Faults, noFaults, together } from './faults.ts';
import { filterOf } from './filter.ts';
import { Oplog, type CommitListener } from './oplog.ts';
import { failed, type FailedReply, isRetryable, problemOf, type WriteReply } from './replies.ts';
import type { Doc } from './values.ts';

/** What a server adds to an answer for each time that it is as slow again. */
const SERVICE_MS = 1;
/** How long after its client gave it up a request is still carried out, on average, if it is. */
const LATE_REQUEST_MS = 200;
const LATE_REQUESTS = 0.5;
/** An election takes a second at least, and on average one more. */
const ELECTION_MS = 1_000;
/** How long a server looks for a majority before it says that it has none. */
const UNSURE_MS = 20;
const TTL_EVERY_MS = 60_000;

type Answer<T> = (outcome: Outcome<T | FailedReply>) => void;

/** Who asks. */
export interface StoreClient {
  /** The name of its process: `wallet-1` */
  readonly name: string;
  readonly serverSelectionTimeoutMS: number;
  readonly socketTimeoutMS: number;
}

/** A write that is applied and not answered yet. */
interface Waiting {
  seq: number;
  client: StoreClient;
  /** The driver would ask again. */
  retries: boolean;
  reply: WriteReply;
  answer: Answer<WriteReply>;
  timeout?: Due;
}

interface Selecting {
  client: StoreClient;
  answer: (outcome: Outcome<undefined>) => void;
  timeout: Due;
}

/** How a primary goes. What is not said is left to chance. */
export interface StepDown {
  /** It is killed, and its connections break; else it says that it is none any more. */
  isCrash?: boolean;
  /** Until there is another. */
  electionMs?: number;
  /** How far the clock of the next is ahead of the true time. */
  clockOffsetMs?: number;
}

/**
 * A MongoDB replica set in memory, as clients know it that write with a majority and read what a majority has.
 *
 * Writes are applied at the primary at once, and are with a majority a little later, in the order of the oplog; then they are acknowledged.
 * Conditional updates and unique indexes decide on what is applied. Reads see what is with a majority. That is never rolled back, but it need
 * not be the newest: right after an election the new primary may not know yet how far the majority is, so that for a moment a client does
 * not see what it wrote itself, acknowledged, nor what it saw before. Only sessions with causal consistency promise that, and nobody here
 * has one (MongoDB manual: "Read Concern "majority""; "Causal Consistency and Read and Write Concerns"). It lags by no more than what
 * members have not told each other, and not after its own first note in the oplog is with a majority.
 *
 * A write that changes nothing, or is a duplicate, is answered when all that it was decided on is with a majority: mongod waits for the newest
 * place in its oplog then (`LastOpFixer` in write_ops_exec.cpp), so that the read that follows finds what was in the way.
 */
export class SimulatedMongo {
  /** What goes wrong for all clients. */
  readonly faults: Faults = noFaults();
  /** How far the clock of the primary is ahead of the true time, milliseconds. */
  clockOffsetMs = 0;
  /** The part of duplicate keys that is told without waiting for a majority, as a stand-in for MongoDB may do. */
  hastyDuplicates = 0;
  /** What was asked so far that no declared index serves, and how often. */
  readonly unserved = new Map<string, number>();
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #oplog: Oplog;
  readonly #faultsOf = new Map<string, Faults>();
  readonly #unservedListeners: ((what: string) => void)[] = [];
  readonly #cutOff = new Set<string>();
  readonly #selecting = new Set<Selecting>();
  #isAway = false;
  #hasPrimary = true;
  #term = 1;
  #waiting: Waiting[] = [];
  #ttlDue: Due | undefined;
  #running = '';
  readonly #primary: Primary;
  readonly #domain = nextDomain();
  readonly #hosts: string[] = [];

  constructor({ scheduler, chance }: { scheduler: Scheduler; chance: Chance }) {
    this.#scheduler = scheduler;
    this.#chance = chance.of('mongo');
    this.#oplog = new Oplog({ scheduler, chance: chance.of('mongo majority'), progressed: () => this.#acknowledge() });
    this.#primary = this.#asPrimary();
  }

  /** Gives a process its way to the store: the host for its `mongodb://<host>/<database>`. From now on mongoose knows simulated stores alone. */
  register(name: string, caller: Caller): string {
    simulateMongo();
    const host = `${name}.${this.#domain}`;
    addEndpoint(host, this, caller);
    this.#hosts.push(host);
    return host;
  }

  /** The world is over: nothing outside of it, mongoose neither, holds the store and its connections any longer. */
  forget(): void {
    for (const host of this.#hosts.splice(0)) forgetEndpoint(host);
  }

  /** What goes wrong for one process alone, on top of what goes wrong for all. */
  faultsOf(client: string): Faults {
    let faults = this.#faultsOf.get(client);
    if (!faults) this.#faultsOf.set(client, (faults = noFaults()));
    return faults;
  }

  /**
   * Called for each change of a document when it is with a majority, in the order of the oplog: `before` is absent for a new one, `after` for
   * one that was deleted. The documents are the store's own: not to be changed.
   */
  onCommit(listener: CommitListener): void {
    this.#oplog.onCommit(listener);
  }

  /** Called with each operation that finds its documents, or their order, by no declared index. */
  onUnserved(listener: (what: string) => void): void {
    this.#unservedListeners.push(listener);
  }

  /** What a majority has of a collection, in the order of its coming; the store's own, not to be changed. */
  documents(database: string, collection: string): readonly Doc[] {
    return this.#oplog.documents(`${database}.${collection}`);
  }

  /** `<database>.<collection>` of all collections. */
  get namespaces(): string[] {
    return [...this.#oplog.collections.keys()];
  }

  /** Writes that no majority has yet. */
  get uncommitted(): number {
    return this.#oplog.uncommitted;
  }

  /** No server is reached any more, by anybody or by one process: what is under way is lost, and what comes looks for a server in vain. */
  goAway(client?: string): void {
    if (client === undefined) this.#isAway = true;
    else this.#cutOff.add(client);
    this.#dismiss((waiting) => {
      if (client === undefined || waiting.client.name === client) this.#lose(waiting.client, waiting.answer);
      else return false;
      return true;
    });
  }

  comeBack(client?: string): void {
    if (client === undefined) this.#isAway = false;
    else this.#cutOff.delete(client);
    this.#letSelect();
  }

  /** All that goes wrong ends; an election that is under way takes its time. */
  heal(): void {
    Object.assign(this.faults, noFaults());
    this.#faultsOf.clear();
    this.#isAway = false;
    this.#cutOff.clear();
    this.#letSelect();
    this.haveMajority();
  }

  /**
   * The other members are away: writes are applied, and no majority has them, until `haveMajority`. A real primary steps down when that lasts
   * for ten seconds; here the world says when.
   */
  loseMajority(): void {
    this.#oplog.hold();
    for (const waiting of this.#waiting) this.#limit(waiting);
  }

  haveMajority(): void {
    this.#oplog.release();
  }

  /**
   * The primary goes, and there is none for a while. Of what no majority has the end is rolled back, as much as chance says; what a majority
   * has never. Returns how many changes were rolled back.
   */
  stepDown({ isCrash = this.#chance.is(0.5), electionMs, clockOffsetMs }: StepDown = {}): number {
    if (!this.#hasPrimary) return 0;
    this.#hasPrimary = false;
    this.#term++;
    const lost = this.#oplog.end();
    const code = this.#chance.pick([189, 11_602]);
    this.#dismiss(({ client, retries, reply, answer }) => {
      if (isCrash) answer({ error: brokenConnection(client) });
      else answer({ value: this.#unsure(reply, code, retries) });
      return true;
    });
    this.#scheduler.after(electionMs ?? ELECTION_MS + this.#chance.wait(ELECTION_MS), () => {
      this.#hasPrimary = true;
      this.clockOffsetMs = clockOffsetMs ?? this.clockOffsetMs;
      this.#oplog.begin();
      this.#letSelect();
    });
    return lost;
  }

  /** Whether a client knows a primary, and reaches it. */
  isReachedBy(client: StoreClient): boolean {
    return this.#hasPrimary && !this.#isAway && !this.#cutOff.has(client.name);
  }

  /** Answers when there is a primary for the client, or with the driver's error when it gives up. */
  select(client: StoreClient, answer: (outcome: Outcome<undefined>) => void): void {
    if (this.isReachedBy(client)) return answer({ value: undefined });
    const timeout = this.#scheduler.after(client.serverSelectionTimeoutMS, () => {
      this.#selecting.delete(selecting);
      answer({ error: noServer(client, this.#hasPrimary) });
    });
    const selecting = { client, answer, timeout };
    this.#selecting.add(selecting);
  }

  /** Ends the world with an error: what was asked is not simulated, and who asked might go on without it. */
  fail(error: Error): void {
    this.#scheduler.after(0, () => {
      throw error;
    });
  }

  /** One attempt of a command, as it arrives at the primary. */
  take<T extends { ok: 1 }>(client: StoreClient, command: Command<T>, answer: Answer<T>): void {
    const faults = together(this.faults, this.#faultsOf.get(client.name));
    if (this.#isAway || this.#cutOff.has(client.name) || this.#isDrawn(faults.lostRequests)) return this.#lose(client, answer);
    const waitMs = faults.slowness > 1 ? this.#chance.wait((faults.slowness - 1) * SERVICE_MS) : 0;
    if (this.#isDrawn(faults.lostReplies)) {
      this.#lose(client, answer);
      // Its client may have given it up before the server turns to it.
      const lateMs = this.#isDrawn(LATE_REQUESTS) ? this.#chance.wait(LATE_REQUEST_MS) : 0;
      this.#scheduler.after(waitMs + lateMs, () => this.#serve(client, command, () => undefined));
    } else if (waitMs > 0) {
      this.#scheduler.after(waitMs, () => this.#serve(client, command, answer));
    } else {
      this.#serve(client, command, answer);
    }
  }

  #isDrawn(part: number): boolean {
    return part > 0 && this.#chance.is(part);
  }

  #lose<T>(client: StoreClient, answer: Answer<T>): void {
    const { silentLosses } = together(this.faults, this.#faultsOf.get(client.name));
    if (!this.#isDrawn(silentLosses)) return answer({ error: brokenConnection(client) });
    this.#scheduler.after(client.socketTimeoutMS, () => answer({ error: silentConnection(client) }));
  }

  #serve<T extends { ok: 1 }>(client: StoreClient, command: Command<T>, answer: Answer<T>): void {
    if (!this.#hasPrimary) return answer(this.#noPrimary(client, command));
    const { failing, writeConcernErrors } = together(this.faults, this.#faultsOf.get(client.name));
    if (failing && (failing.of === 'all' || command.kind === 'write')) return answer({ value: refusal(failing, command) });
    this.#running = command.what;
    this.#oplog.slowness = this.faults.slowness;
    const reply = command.run(this.#primary);
    if (!command.waits || reply.ok === 0) return answer({ value: reply });

    const waiting: Waiting = {
      seq: this.#oplog.newest,
      client,
      retries: command.retries,
      // All that wait are writes.
      reply: reply as unknown as WriteReply,
      answer: answer as Answer<unknown>,
    };
    if (writeConcernErrors && this.#isDrawn(writeConcernErrors.part)) {
      const { code, hidesDuplicates } = writeConcernErrors;
      const value = this.#unsure(waiting.reply, code, command.retries);
      if (hidesDuplicates) delete value.writeErrors;
      this.#scheduler.after(this.#chance.wait(UNSURE_MS), () => waiting.answer({ value }));
      return undefined;
    }
    const isHasty = waiting.reply.writeErrors !== undefined && this.#isDrawn(this.hastyDuplicates);
    if (isHasty || waiting.seq <= this.#oplog.known) return answer({ value: reply });
    this.#waiting.push(waiting);
    this.#limit(waiting);
    return undefined;
  }

  #noPrimary<T>(client: StoreClient, { kind, retries }: Command<T>): Outcome<FailedReply> {
    if (this.#chance.is(0.5)) return { error: brokenConnection(client) };
    return { value: kind === 'write' ? failed(10_107, retries) : failed(13_435, false) };
  }

  #unsure(reply: WriteReply, code: number, retries: boolean): WriteReply {
    const errorLabels = retries && isRetryable(code) ? { errorLabels: ['RetryableWriteError'] } : {};
    return { ...reply, writeConcernError: problemOf(code), ...errorLabels };
  }

  /** A majority has more. */
  #acknowledge(): void {
    const { known } = this.#oplog;
    this.#dismiss(({ seq, reply, answer }) => {
      if (seq > known) return false;
      answer({ value: reply });
      return true;
    });
  }

  /** Takes out of those that wait who was answered. */
  #dismiss(isAnswered: (waiting: Waiting) => boolean): void {
    const before = this.#waiting;
    this.#waiting = [];
    for (const waiting of before) {
      if (isAnswered(waiting)) waiting.timeout?.cancel();
      else this.#waiting.push(waiting);
    }
  }

  /** The driver gives up a reply that takes too long. */
  #limit(waiting: Waiting): void {
    const { socketTimeoutMS } = waiting.client;
    if (waiting.timeout || this.#oplog.committedAtMs <= this.#scheduler.nowMs + socketTimeoutMS) return;
    waiting.timeout = this.#scheduler.after(socketTimeoutMS, () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      waiting.answer({ error: silentConnection(waiting.client) });
    });
  }

  #letSelect(): void {
    for (const selecting of this.#selecting) {
      if (!this.isReachedBy(selecting.client)) continue;
      this.#selecting.delete(selecting);
      selecting.timeout.cancel();
      selecting.answer({ value: undefined });
    }
  }

  #asPrimary(): Primary {
    const term = () => this.#term;
    const known = () => this.#oplog.known;
    const now = () => new Date(Math.floor(this.#scheduler.nowMs + this.clockOffsetMs));
    return {
      get term() {
        return term();
      },
      get committed() {
        return known();
      },
      get localTime() {
        return now();
      },
      collection: (namespace) => this.#oplog.collections.get(namespace),
      create: (namespace) => this.#oplog.create(namespace),
      write: (namespace, document, before) => {
        this.#expireLater();
        return this.#oplog.write(namespace, document, before);
      },
      unserved: () => {
        this.unserved.set(this.#running, (this.unserved.get(this.#running) ?? 0) + 1);
        for (const listener of this.#unservedListeners) listener(this.#running);
      },
    };
  }

  /** Every minute the primary deletes what is older than an index says. */
  #expireLater(): void {
    if (this.#ttlDue) return;
    this.#ttlDue = this.#scheduler.after(TTL_EVERY_MS, () => {
      this.#ttlDue = undefined;
      if (this.#expire()) this.#expireLater();
    });
  }

  /** True if something is left that will be too old one day. */
  #expire(): boolean {
    let isLeft = false;
    for (const [namespace, collection] of this.#oplog.collections) {
      for (const { spec } of collection.indexes) {
        const [path] = Object.keys(spec.key);
        if (spec.expireAfterSeconds === undefined || !path) continue;
        const before = new Date(this.#primary.localTime.getTime() - spec.expireAfterSeconds * 1_000);
        const old = filterOf({ [path]: { $lte: before } });
        const found = this.#hasPrimary ? new Walk(old, collection.plan(old)).take(Infinity, NEWEST) : [];
        for (const version of found) this.#oplog.write(namespace, undefined, version);
        isLeft ||= collection.documents(NEWEST).length > 0;
      }
    }
    return isLeft;
  }
}

function refusal<T extends { ok: 1 }>({ code, as, errmsg }: Failure, { kind, waits, retries }: Command<T>): T | FailedReply {
  if (as !== 'write_error' || !waits) return failed(code, kind === 'write' && retries, errmsg);
  const error = { index: 0, code, errmsg: errmsg ?? problemOf(code).errmsg };
  const reply: WriteReply = { ok: 1, n: 0, writeErrors: [error] };
  return reply as unknown as T;
}
