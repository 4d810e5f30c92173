/** What the simulator's page is told, as far as we read it. */
type Live = { type: 'all'; texts: Text[] } | { type: 'text'; text: Text } | { type: 'other' };
interface Text {
  phone: string;
  direction: 'sent' | 'received';
  body: string;
}

/** The phones of a simulator, as its page shows and uses them. */
export class PhonesPage {
  readonly #url: string;
  readonly #waitMs: number;
  readonly #ending = new AbortController();
  readonly #texts: Text[] = [];
  #arrived = Promise.withResolvers<void>();

  private constructor(url: string, waitMs: number) {
    this.#url = url;
    this.#waitMs = waitMs;
  }

  /** `waitMs`: how long a text may take. */
  static async open(url: string, waitMs: number): Promise<PhonesPage> {
    const page = new PhonesPage(url, waitMs);
    const answer = await fetch(`${url}/events`, { signal: page.#ending.signal });
    if (!answer.body) throw new Error(`${url}/events has no events`);
    page.#follow(answer.body).catch(() => undefined);
    return page;
  }

  close(): void {
    this.#ending.abort();
  }

  addPhone(number: string): Promise<void> {
    return this.#post('/phones', { name: `Phone ${number.slice(-4)}`, number });
  }

  send(from: string, body: string): Promise<void> {
    return this.#post('/texts', { from, body });
  }

  /** The first text to a phone that matches. Fails when none comes in time. */
  async receives(phone: string, pattern: RegExp): Promise<RegExpExecArray> {
    const end = AbortSignal.timeout(this.#waitMs);
    const tooLong = new Promise<void>((resolve) => end.addEventListener('abort', () => resolve()));
    while (!end.aborted) {
      for (const text of this.#texts) {
        const match = text.phone === phone && text.direction === 'received' ? pattern.exec(text.body) : null;
        if (match) return match;
      }
      await Promise.race([this.#arrived.promise, tooLong]);
    }
    const got = this.#texts.filter((text) => text.phone === phone).map(({ body }) => body);
    throw new Error(`${phone} got no text like ${pattern} in ${this.#waitMs / 1000} s, but: ${JSON.stringify(got)}`);
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
    if (live.type === 'all') this.#texts.push(...live.texts);
    if (live.type === 'text') this.#texts.push(live.text);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
  }

  async #post(path: string, body: object): Promise<void> {
    const answer = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`POST ${path} is answered ${answer.status} ${await answer.text()}`);
  }
}
