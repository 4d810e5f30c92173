import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Message } from '#libs/simulated-twilio';
import type { Phone, Text } from './live.ts';

/** At first there are two, so that one can pay the other. */
const FIRST: readonly Phone[] = [
  { name: 'Ada', number: '+254722004321' },
  { name: 'Ben', number: '+254712345678' },
];
const TEXTS_KEPT = 1000;

type Line = { phone: Phone } | { text: Text };

/** The phones and what they show. With a folder they are there again after a restart: `phones.jsonl` grows by a line for each change. */
export class Phones {
  readonly #phones = new Map<string, Phone>();
  readonly #texts = new Map<string, Text>();
  readonly #file: string | undefined;

  constructor(dataDir: string | undefined) {
    if (dataDir) {
      mkdirSync(dataDir, { recursive: true });
      this.#file = join(dataDir, 'phones.jsonl');
      for (const line of linesOf(this.#file)) this.#apply(line);
    }
    if (this.#phones.size === 0) for (const phone of FIRST) this.#phones.set(phone.number, phone);
    // Written anew without what was overtaken, so that the file stays as small as what it says.
    const lines: Line[] = [...this.all().map((phone) => ({ phone })), ...this.texts().map((text) => ({ text }))];
    if (this.#file) writeFileSync(this.#file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 });
  }

  all(): Phone[] {
    return [...this.#phones.values()];
  }

  texts(): Text[] {
    return [...this.#texts.values()];
  }

  has(number: string): boolean {
    return this.#phones.has(number);
  }

  add(phone: Phone): void {
    this.#store({ phone });
  }

  /** Shows a message at its phone as it stands now; undefined if it concerns none of the phones. */
  show(message: Message): Text | undefined {
    const sent = message.direction === 'inbound';
    const phone = sent ? message.from : message.to;
    if (!this.has(phone)) return undefined;
    const text: Text = {
      sid: message.sid,
      phone,
      direction: sent ? 'sent' : 'received',
      body: message.body,
      segments: message.numSegments,
      status: message.status,
      ...(message.errorCode ? { errorCode: message.errorCode } : {}),
      at: message.createdAt.getTime(),
      updatedAt: message.updatedAt.getTime(),
    };
    this.#store({ text });
    return text;
  }

  #store(line: Line): void {
    this.#apply(line);
    if (this.#file) appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  #apply(line: Line): void {
    if ('phone' in line) this.#phones.set(line.phone.number, line.phone);
    else this.#texts.set(line.text.sid, line.text);
    const [oldest] = this.#texts.keys();
    if (oldest !== undefined && this.#texts.size > TEXTS_KEPT) this.#texts.delete(oldest);
  }
}

function linesOf(file: string): Line[] {
  try {
    // The last line may be cut: a kill can come while it is written.
    return readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new Error(`cannot read ${file}: delete it to start with fresh phones`, { cause: error });
  }
}
