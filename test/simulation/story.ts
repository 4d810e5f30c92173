/** What happened, to be read by people: who did what, when. Kept only where somebody will read it. */
export class Story {
  readonly #lines: string[] = [];
  readonly #clock: () => number;
  readonly #startMs: number;
  readonly #kept: boolean;

  constructor(clock: () => number, kept: boolean) {
    this.#clock = clock;
    this.#startMs = clock();
    this.#kept = kept;
  }

  /** A person sent or got a text. */
  said(who: string, direction: '→' | '←', text: string): void {
    if (this.#kept) this.#write(`${who} ${direction} ${text.replaceAll('\n', ' / ')}`);
  }

  /** A process did something that the world outside can see. */
  did(who: string, what: string): void {
    if (this.#kept) this.#write(`    ${who}: ${what}`);
  }

  /** Something went wrong, by intention. */
  fault(what: string): void {
    if (this.#kept) this.#write(`  ! ${what}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  #write(line: string): void {
    const ms = Math.floor(this.#clock() - this.#startMs);
    const time = new Date(ms).toISOString().slice(11, 23);
    this.#lines.push(`${ms >= 86_400_000 ? `${Math.floor(ms / 86_400_000)}d ` : ''}${time} ${line}`);
  }
}
