import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Two thousand strangers who post to a gateway what nobody signed (`flood-process.ts`), in a process of their own. */
export class Flood {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static start(port: number): Flood {
    return new Flood(
      spawn(process.execPath, ['dist/libs/testing/src/flood-process.js', String(port)], { cwd: ROOT, stdio: 'inherit' }),
    );
  }

  async end(): Promise<void> {
    if (this.#child.kill('SIGKILL')) await once(this.#child, 'exit');
  }
}
