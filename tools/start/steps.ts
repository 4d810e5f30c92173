import { styleText } from 'node:util';

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 80;
const NAME_WIDTH = 14;

/** The list of steps on the terminal: a mark and a line for each that is done, and one moving line for those under way. */
class Steps {
  /** What is under way, with what it is at. */
  readonly #underWay = new Map<string, string>();
  readonly #moves = process.stdout.isTTY === true;
  #hushed = false;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Does one step. `work` may say what it waits for; what it returns, or `detail` makes of that, stands behind the name. */
  async do<Result>(
    name: string,
    work: (say: (line: string) => void) => Promise<Result>,
    detail: (result: Result) => string,
  ): Promise<Result> {
    const began = performance.now();
    this.#underWay.set(name, '');
    this.#move();
    try {
      const result = await work((line) => {
        this.#underWay.set(name, line);
        if (!this.#moves) this.line(`  … ${name}: ${line}`);
      });
      const seconds = `${((performance.now() - began) / 1000).toFixed(1)} s`;
      this.line(`  ${styleText('green', '✓')} ${name.padEnd(NAME_WIDTH)} ${detail(result)}  ${styleText('dim', seconds)}`);
      return result;
    } catch (error) {
      if (!this.#hushed) this.line(`  ${styleText('red', '✗')} ${name}`);
      throw error;
    } finally {
      this.#underWay.delete(name);
      this.#move();
    }
  }

  /** From now on failures are no news: what is under way is being broken off. */
  hush(): void {
    this.#hushed = true;
  }

  /** A line of its own above the moving one. */
  line(text: string): void {
    this.#clear();
    console.log(text);
  }

  #move(): void {
    clearInterval(this.#timer);
    this.#clear();
    if (!this.#moves || this.#underWay.size === 0) return;
    this.#timer = setInterval(() => this.#draw(), FRAME_MS).unref();
    this.#draw();
  }

  #draw(): void {
    const now = [...this.#underWay].map(([name, line]) => (line ? `${name}: ${line}` : name)).join(', ');
    const frame = FRAMES[this.#frame++ % FRAMES.length];
    process.stdout.write(`\r\x1b[2K  ${frame} ${now}`.slice(0, (process.stdout.columns || 80) + 4));
  }

  #clear(): void {
    if (this.#moves) process.stdout.write('\r\x1b[2K');
  }
}

export const steps = new Steps();
