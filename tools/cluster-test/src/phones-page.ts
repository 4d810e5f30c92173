import type { Live, Text } from '../../simulator/src/live.ts';

const REOPEN_MS = 500;
const AGAIN_MS = 1_000;
/** Longer than Twilio waits for a webhook. */
const ANSWER_MAX_MS = 30_000;

/** The phones of a simulator, as its page shows and uses them. */
export class PhonesPage {
  readonly #url: string;
  /** The ids of texts whose webhook was answered 2xx. */
  readonly taken = new Set<string>();
  readonly #posted = new Set<string>();
  readonly #ending = new AbortController();
  /** What arrived at each phone, in order; what was told twice, once. */
  readonly #received = new Map<string, Map<string, Text>>();
  readonly #waiting = new Map<string, Set<() => void>>();

  private constructor(url: string) {
    this.#url = url;
  }

  static async open(url: string): Promise<PhonesPage> {
    const page = new PhonesPage(url);
    void page.#keepOpen(await page.#events());
    return page;
  }

  close(): void {
    this.#ending.abort();
  }

  async addPhone(number: string): Promise<void> {
    await this.#post('/phones', { name: `Phone ${number.slice(-4)}`, number });
  }

  /** Resolves with whether the webhook was answered 2xx. */
  async send(from: string, body: string): Promise<boolean> {
    const { sid } = await this.#post<{ sid: string }>('/texts', { from, body });
    await this.#await(
      from,
      () => this.#posted.has(sid) || undefined,
      ANSWER_MAX_MS,
      () => `no answer to the webhook of ${sid}`,
    );
    return this.taken.has(sid);
  }

  /** As people do who get no answer: sends a text again until it is taken. */
  async insist(from: string, body: string, waitMs: number): Promise<void> {
    const end = Date.now() + waitMs;
    while (!(await this.send(from, body))) {
      if (Date.now() > end) throw new Error(`${from} sent "${body}" for ${waitMs / 1000} s, and it was not taken`);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** All that arrived at a phone, in order. */
  received(phone: string): Text[] {
    return [...(this.#received.get(phone)?.values() ?? [])];
  }

  /** The first text to a phone, from place `after` on, that matches; and its place. Fails when none comes within `waitMs`. */
  receives(phone: string, pattern: RegExp, waitMs: number, after = 0): Promise<{ match: RegExpExecArray; place: number }> {
    const look = () => {
      for (const [place, { body }] of this.received(phone).entries()) {
        const match = place >= after ? pattern.exec(body) : null;
        if (match) return { match, place };
      }
      return undefined;
    };
    const got = () =>
      JSON.stringify(
        this.received(phone)
          .map(({ body }) => body)
          .slice(after),
      );
    return this.#await(phone, look, waitMs, () => `no text like ${pattern}, but ${got()}`);
  }

  /** What `look` finds, looking again at each text of the phone. */
  async #await<Found>(phone: string, look: () => Found | undefined, waitMs: number, what: () => string): Promise<Found> {
    const end = AbortSignal.any([AbortSignal.timeout(waitMs), this.#ending.signal]);
    const waiting = this.#waiting.get(phone) ?? new Set();
    this.#waiting.set(phone, waiting);
    let wake = (): void => undefined;
    const tell = () => wake();
    waiting.add(tell);
    end.addEventListener('abort', tell);
    try {
      while (!end.aborted) {
        const found = look();
        if (found) return found;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      waiting.delete(tell);
    }
    throw new Error(`${phone}: in ${waitMs / 1000} s ${what()}`);
  }

  async #events(): Promise<ReadableStream<Uint8Array>> {
    const { body } = await fetch(`${this.#url}/events`, { signal: this.#ending.signal });
    if (!body) throw new Error(`${this.#url}/events has no events`);
    return body;
  }

  /** A stream that ends is opened again: it begins with what was missed. */
  async #keepOpen(events: ReadableStream<Uint8Array> | undefined): Promise<void> {
    for (let open = events; !this.#ending.signal.aborted; open = await this.#events().catch(() => undefined)) {
      await (open && this.#follow(open).catch(() => undefined));
      await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
    }
  }

  async #follow(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + chunk).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) this.#take(JSON.parse(event.replace(/^data: /, '')) as Live);
    }
  }

  #take(live: Live): void {
    if (live.type === 'all') for (const text of live.texts) this.#show(text);
    if (live.type === 'text') this.#show(live.text);
  }

  #show(text: Text): void {
    const { sid, phone, direction, status, errorCode } = text;
    if (direction === 'sent' && status === 'received') {
      this.#posted.add(sid);
      if (!errorCode) this.taken.add(sid);
    }
    if (direction === 'received' && status === 'delivered') {
      const texts = this.#received.get(phone) ?? new Map<string, Text>();
      this.#received.set(phone, texts);
      texts.set(sid, text);
    }
    for (const tell of this.#waiting.get(phone) ?? []) tell();
  }

  async #post<Answer>(path: string, body: object): Promise<Answer> {
    const answer = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`POST ${path} is answered ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Answer;
  }
}
