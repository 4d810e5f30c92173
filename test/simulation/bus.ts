import { type Asker, permissionsOf } from '#libs/contracts';
import type { Bus, BusRequest, BusSubscription } from '#libs/messaging';
import type { Chance } from './chance.ts';
import type { SimulatedProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';

/** As NATS has it unless configured. */
const MAX_BYTES = 1_048_576;

interface Member {
  process: SimulatedProcess;
  take: (request: BusRequest) => void;
}

/** What can go wrong on the way. */
export interface BusFaults {
  /** The part of requests, and of replies, that is lost. */
  lost: number;
  /** The part of requests that arrives twice, at any member of the group. */
  doubled: number;
  /** The part of requests and replies that is on its way for `delayMs` on average. */
  delayed: number;
  delayMs: number;
}

/**
 * NATS as the services know it: queue groups, permissions by credential, nothing stored. `bus.spec.ts` holds it against the real one.
 */
export class SimulatedBus {
  readonly faults: BusFaults = { lost: 0, doubled: 0, delayed: 0, delayMs: 0 };
  /**
   * What an older release is asked in words that it does not know: its requests, and the answers that it gets, pass through here.
   * Returns the body as that process would see it.
   */
  translate: (body: string, reader: SimulatedProcess) => string = (body) => body;
  /** True while everything that a group is asked fails in it, as if it had a fault of its own. */
  fails: (queue: string, body: string) => boolean = () => false;
  /** A process answered that it has a fault with just this request. */
  onFault: (process: SimulatedProcess, subject: string) => void = () => undefined;
  /** A request reached a process. */
  onDelivered: (request: { subject: string; body: string }) => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  /** By `<subject> <queue>`. */
  readonly #groups = new Map<string, Member[]>();
  readonly #waiting = new Set<() => void>();
  /** When the last message of each arrives. */
  readonly #arrivals = new WeakMap<SimulatedProcess, number>();
  #away = false;

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler;
    this.#chance = chance;
  }

  /** All of NATS is gone: what is under way is lost, and everybody knows at once. */
  goAway(): void {
    this.#away = true;
  }

  comeBack(): void {
    this.#away = false;
    for (const connected of this.#waiting) connected();
    this.#waiting.clear();
  }

  /** The connection of one process under a credential. */
  connect(process: SimulatedProcess, asker: Asker): Bus {
    const permissions = permissionsOf(asker);
    const away = () => this.#away;
    const connected = async () => {
      if (this.#away) await new Promise<void>((resolve) => this.#waiting.add(() => process.hear(resolve)));
      await process.sleep(process.wayMs());
    };
    return {
      get connected() {
        return !away();
      },
      maxBytes: MAX_BYTES,
      open: connected,
      close: async () => undefined,
      request: (subject, body, { timeoutMs, headers }) =>
        new Promise((resolve, reject) => {
          const fail = (why: string) => process.hear(() => reject(new Error(why)));
          process.at(`before asking ${subject}`, () => {
            const due = this.#scheduler.after(timeoutMs, () => fail('TIMEOUT'));
            const now = (why: string) => {
              due.cancel();
              this.#scheduler.after(process.wayMs(), () => fail(why));
            };
            if (this.#away) return now('DISCONNECTED');
            if (!permissions.publish.includes(subject)) return now(`Permissions Violation for Publish to "${subject}"`);
            const respond = (answer: string, by: SimulatedProcess) =>
              this.#carry(by, () =>
                process.hear(() => {
                  due.cancel();
                  process.at(`after asking ${subject}`, () => resolve(this.translate(answer, process)));
                }),
              );
            this.#deliver(process, { subject, body, headers }, respond, () => now('no responders'));
            if (this.#chance.is(this.faults.doubled))
              this.#deliver(process, { subject, body, headers }, respond, () => undefined);
            return undefined;
          });
        }),
      subscribe: (subject, queue, take): BusSubscription => {
        const name = `${subject} ${queue}`;
        if (!permissions.subscribe.includes(name)) throw new Error(`Permissions Violation for Subscription to "${name}"`);
        const member = { process, take };
        const group = this.#groups.get(name) ?? [];
        this.#groups.set(name, group);
        group.push(member);
        const leave = () => void (group.includes(member) && group.splice(group.indexOf(member), 1));
        process.onEnd(leave);
        return {
          drain: async () => {
            await process.sleep(process.wayMs());
            leave();
            await process.sleep(process.wayMs());
          },
        };
      },
    };
  }

  #deliver(
    from: SimulatedProcess,
    request: Omit<BusRequest, 'respond'>,
    respond: (answer: string, by: SimulatedProcess) => void,
    nobody: () => void,
  ): void {
    this.#carry(from, () => {
      const members = [...this.#groups].flatMap(([name, group]) =>
        name.startsWith(`${request.subject} `) && group.length > 0
          ? [{ ...this.#chance.pick(group), queue: name.slice(request.subject.length + 1) }]
          : [],
      );
      if (members.length === 0) return nobody();
      for (const { process, take, queue } of members) {
        if (this.fails(queue, request.body)) {
          respond(JSON.stringify({ error: 'failed' }), process);
          continue;
        }
        process.hear(() => {
          this.onDelivered(request);
          take({
            ...request,
            body: this.translate(request.body, process),
            respond: (answer) =>
              process.at(`before answering ${request.subject}`, () => {
                if (answer === '{"error":"failed"}') this.onFault(process, request.subject);
                respond(answer, process);
              }),
          });
        });
      }
      return undefined;
    });
  }

  /** One message on its way, unless it is lost. What one process sends arrives in order, as on one connection. */
  #carry(by: SimulatedProcess, arrive: () => void): void {
    if (this.#chance.is(this.faults.lost)) return;
    const extraMs = this.#chance.is(this.faults.delayed) ? this.#chance.wait(this.faults.delayMs) : 0;
    const atMs = Math.max(this.#scheduler.nowMs + by.wayMs(), this.#arrivals.get(by) ?? 0);
    this.#arrivals.set(by, atMs);
    this.#scheduler.at(atMs + extraMs, () => {
      if (!this.#away) arrive();
    });
  }
}
