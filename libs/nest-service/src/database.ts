import { type Host, type Lifecycle, log, type Metrics } from '#libs/runtime';
import { connectionOptions, ensureIndexes } from '#libs/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Clock } from './clock.ts';

const RETRY_MS = 1_000;
const LOOK_MS = 5_000;
const LOOK_MAX_MS = 2_000;
/** An election is over by then; a full disk, a quota or a changed password is not. */
const WRITES_FAIL_MS = 15_000;
const KEPT_SECONDS = 3_600;

/** That a process could write: the newest one of each. */
interface Heartbeat {
  _id: string;
  at: Date;
}

/** The service's own database: opened as soon as it can be, ready once its indexes were read back as unique, and while it takes writes. */
export class Database {
  readonly #connection: Connection;
  readonly #uri: string;
  readonly #clock: Clock;
  readonly #host: Host;
  readonly #heartbeats: Model<Heartbeat>;
  readonly #id: string;
  #opened = false;
  #wroteAtMs = 0;
  /** Operations that wait for a connection of the pool. */
  #waiting = 0;

  constructor(connection: Connection, uri: string, clock: Clock, host: Host, metrics: Metrics) {
    metrics.gauge('smspay_database_waiting', 'Operations that wait for a connection to the database', () => this.#waiting);
    this.#connection = connection;
    this.#uri = uri;
    this.#clock = clock;
    this.#host = host;
    this.#id = host.randomBytes(8).toString('hex');
    this.#heartbeats = connection.model<Heartbeat>(
      'Heartbeat',
      new Schema<Heartbeat>({ _id: String, at: Date }, { collection: 'heartbeats', versionKey: false, strict: 'throw' }).index(
        { at: 1 },
        { expireAfterSeconds: KEPT_SECONDS },
      ),
    );
  }

  /** Tries until it stands; then makes and reads the indexes, and from then on looks again and again whether it takes writes. */
  async open(lifecycle: Lifecycle): Promise<void> {
    while (lifecycle.accepting) {
      try {
        // Answers at once where it is being opened already.
        await this.#connection.openUri(this.#uri, connectionOptions);
        await this.#connection.asPromise();
        this.#watchPool();
        await ensureIndexes(this.#connection);
        await this.#look();
        this.#opened = true;
        break;
      } catch (error) {
        log.warn({ err: error }, 'the database is not ready; trying again');
        await this.#host.sleep(RETRY_MS);
      }
    }
    let failing = false;
    let differs = false;
    lifecycle.repeat(
      () => (failing ? RETRY_MS : LOOK_MS) * (0.5 + this.#host.random()),
      async () => {
        try {
          await this.#look();
          failing = false;
          if (!this.#clock.good && !differs)
            log.error('the clock differs from that of the database: nothing is decided until it is set');
          differs = !this.#clock.good;
        } catch (error) {
          if (!failing) log.error({ err: error }, 'the database takes no writes');
          failing = true;
        }
      },
    );
  }

  #watchPool(): void {
    const client = this.#connection.getClient();
    if (client.listenerCount('connectionCheckOutStarted') > 0) return;
    client.on('connectionCheckOutStarted', () => this.#waiting++);
    client.on('connectionCheckedOut', () => this.#waiting--);
    client.on('connectionCheckOutFailed', () => this.#waiting--);
  }

  /** Asks for the time, taken at the middle of the question, and writes. */
  async #look(): Promise<void> {
    const beganMs = this.#host.monotonicMs();
    const { localTime } = await this.#connection.getClient().db('admin').command({ hello: 1 });
    const endedMs = this.#host.monotonicMs();
    // What was longer under way than that says too little.
    if (endedMs - beganMs < LOOK_MAX_MS) this.#clock.set(localTime, (beganMs + endedMs) / 2);
    await this.#heartbeats.updateOne({ _id: this.#id }, { $set: { at: this.#clock.now() } }, { upsert: true });
    this.#wroteAtMs = this.#host.monotonicMs();
  }

  /** The time, asked anew where the clock is not good: its host may have slept. Throws where the database does not answer. */
  async time(): Promise<Date> {
    if (!this.#clock.good) await this.#look();
    return this.#clock.now();
  }

  /** True once the unique indexes were read back: before, nothing may be written. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Why it cannot take work now; undefined if it can. */
  get problem(): string | undefined {
    if (!this.#opened) return 'its indexes were not read back yet';
    if (this.#host.monotonicMs() - this.#wroteAtMs > WRITES_FAIL_MS) return `it took no write for ${WRITES_FAIL_MS / 1000} s`;
    return undefined;
  }
}
