import { type Host, type Lifecycle, log } from '#libs/process';
import { connectionOptions, ensureIndexes } from '#libs/mongo';
import type { Connection } from 'mongoose';

const RETRY_MS = 1_000;

/** The service's own database: opened as soon as it can be, ready once its indexes were read back as unique. */
export class Database {
  #ready = false;
  readonly #connection: Connection;
  readonly #uri: string;
  readonly #host: Host;

  constructor(connection: Connection, uri: string, host: Host) {
    this.#connection = connection;
    this.#uri = uri;
    this.#host = host;
  }

  /** Tries until it stands; then makes and reads the indexes. */
  async open(lifecycle: Lifecycle): Promise<void> {
    while (lifecycle.accepting) {
      try {
        // Answers at once where it is being opened already.
        await this.#connection.openUri(this.#uri, connectionOptions);
        await this.#connection.asPromise();
        await ensureIndexes(this.#connection);
        this.#ready = true;
        return;
      } catch (error) {
        log.warn({ err: error }, 'the database is not ready; trying again');
        await this.#host.sleep(RETRY_MS);
      }
    }
  }

  /** True once the unique indexes were read back: before, nothing may be written. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Throws with the reason if the database cannot take work. */
  async check(): Promise<void> {
    if (!this.#ready) throw new Error('indexes not read back yet');
    await this.#connection.db?.command({ ping: 1 });
  }
}
