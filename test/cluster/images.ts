import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../tools/start/root.ts';
import { answers, kubectl, run } from './run.ts';

const BUILD_MS = 20 * 60_000;

export interface Image {
  repository: string;
  tag: string;
}

/** Builds images with docker or podman, whichever is there, and loads them into a cluster of kind. */
export class Images {
  readonly #engine: string;
  readonly #cluster: string;

  private constructor(engine: string, cluster: string) {
    this.#engine = engine;
    this.#cluster = cluster;
  }

  static async open(): Promise<Images> {
    const engine = (await answers('docker', 'info')) ? 'docker' : 'podman';
    if (!(await answers(engine, 'info'))) throw new Error('neither docker nor podman answers: one of them builds the image');
    const context = await kubectl(['config', 'current-context']);
    return new Images(engine, context.trim().replace(/^kind-/, ''));
  }

  /** The image of a Dockerfile, in the cluster. Its tag says what is in it, so that pods of another build keep theirs. */
  async build(repository: string, dockerfile: string, context = ROOT): Promise<Image> {
    const dir = await mkdtemp(join(tmpdir(), 'smspay-image-'));
    try {
      const ids = join(dir, 'id');
      const base = process.env['BASE'];
      const given = ['--file', join(context, dockerfile), ...(base ? ['--build-arg', `BASE=${base}`] : [])];
      await run(this.#engine, ['build', '--iidfile', ids, ...given, context], { timeoutMs: BUILD_MS });
      const id = (await readFile(ids, 'utf8')).trim();
      const tag = `test-${id.replace('sha256:', '').slice(0, 12)}`;
      // In full, as Kubernetes understands the short name.
      const name = `docker.io/library/${repository}:${tag}`;
      await run(this.#engine, ['tag', id, name]);
      const archive = join(dir, 'image.tar');
      await run(this.#engine, ['save', '--output', archive, name]);
      await run('kind', ['load', 'image-archive', archive, '--name', this.#cluster]);
      return { repository, tag };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  /** Whether the engine has an image or can pull it. */
  canPull(name: string): Promise<boolean> {
    return run(this.#engine, ['pull', name], { timeoutMs: BUILD_MS }).then(
      () => true,
      () => false,
    );
  }
}
