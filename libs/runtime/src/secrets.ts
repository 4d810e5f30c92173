import { createCipheriv, createDecipheriv } from 'node:crypto';
import { inspect } from 'node:util';
import type { Sealed } from '#libs/contracts';
import type { Host } from './host.ts';
import type { KeyRing } from './settings.ts';

/** A secret in memory: it cannot be printed, logged or put into JSON by accident. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The secret itself; name the place that needs it. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
  [inspect.custom](): string {
    return '[secret]';
  }
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals what carries a secret and must be stored or sent on: AES-256-GCM under `DATA_KEYS`, `<keyId>.<base64url(nonce ‖ ciphertext ‖ tag)>`. */
export class DataKeys {
  readonly #ring: KeyRing;
  readonly #host: Host;
  constructor(ring: KeyRing, host: Host) {
    this.#ring = ring;
    this.#host = host;
  }

  /** `context` binds the sealed text to its place (`inbox:<id>`): it opens nowhere else. */
  seal(secret: Secret, context: string): Sealed {
    const [first] = this.#ring;
    if (!first) throw new Error('DATA_KEYS holds no key');
    const nonce = this.#host.randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', first.key, nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([nonce, cipher.update(secret.reveal(), 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${first.id}.${sealed.toString('base64url')}` as Sealed;
  }

  /** Throws if the key is not in `DATA_KEYS`, the context differs or a bit was changed. */
  unseal(sealed: Sealed, context: string): Secret {
    const [id, text = ''] = sealed.split('.');
    const entry = this.#ring.find((candidate) => candidate.id === id);
    if (!entry) throw new Error(`DATA_KEYS has no key ${id}`);
    const bytes = Buffer.from(text, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', entry.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    return new Secret(decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8'));
  }
}
