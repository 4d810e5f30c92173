import { timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS } from '#libs/nest-service';
import { Host, Metrics, type Secret, Unavailable } from '#libs/runtime';
import type { PinHash } from './pin.schema.ts';
import type { Settings } from './settings.ts';

/** OWASP, Password Storage Cheat Sheet, Argon2id. */
const COST = { memoryKiB: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Hashes that one process makes at the same time, and that wait for it: each takes 19 MiB and some 50 ms of a core. */
const AT_ONCE = 8;
const WAITING_MAX = 32;

/** Hashes of PINs: slow, so that who has the database has few guesses, and useless without the pepper, which is not in it. */
@Injectable()
export class PinHashes {
  readonly #waiting: (() => void)[] = [];
  #making = 0;

  constructor(
    private readonly host: Host,
    metrics: Metrics,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    metrics.gauge('smspay_pin_hashes', 'Hashes of PINs that are made, or wait for it', () => this.#making + this.#waiting.length);
  }

  /** The hash of a new PIN, by the first pepper. Throws `Unavailable` where too many are wanted at once. */
  async make(pin: Secret): Promise<PinHash> {
    const [first] = this.settings.PIN_PEPPER;
    if (!first) throw new Error('PIN_PEPPER holds no key');
    const hash = { ...COST, salt: this.host.randomBytes(SALT_BYTES).toString('base64'), pepper: first.id };
    return { ...hash, tag: (await this.#tagOf(pin, hash)).toString('base64') };
  }

  /** True if it is the hash of this PIN. Throws if its pepper was taken away, `Unavailable` as above. */
  async fits(hash: PinHash, pin: Secret): Promise<boolean> {
    return timingSafeEqual(await this.#tagOf(pin, hash), Buffer.from(hash.tag, 'base64'));
  }

  async #tagOf(pin: Secret, { salt, pepper, memoryKiB, passes, parallelism }: Omit<PinHash, 'tag'>): Promise<Buffer> {
    const entry = this.settings.PIN_PEPPER.find(({ id }) => id === pepper);
    if (!entry) throw new Error(`PIN_PEPPER lacks the key ${pepper}, by which a PIN was hashed`);
    await this.#enter();
    try {
      return await this.host.argon2id({
        message: Buffer.from(pin.reveal()),
        nonce: Buffer.from(salt, 'base64'),
        secret: entry.key.export(),
        memory: memoryKiB,
        passes,
        parallelism,
        tagLength: TAG_BYTES,
      });
    } finally {
      // Who leaves gives its place to the one that waits longest.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#making--;
    }
  }

  async #enter(): Promise<void> {
    if (this.#making < AT_ONCE) {
      this.#making++;
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) throw new Unavailable(`the hash of a PIN, for which ${WAITING_MAX} wait already,`);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
