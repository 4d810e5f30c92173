import { randomBytes } from 'node:crypto';
import { type Image, Images } from './images.ts';
import { Killer } from './killer.ts';
import { CHART, NAME, Release, set } from './release.ts';
import { kubectl } from './run.ts';
import { Town } from './town.ts';

/** One thing that is shown on the cluster. It stands alone: any of them can be run without the others. */
export interface Scenario {
  /** By which it is chosen. */
  name: string;
  /** What it shows, for the report. */
  title: string;
  run(suite: Suite): Promise<void>;
}

export interface Check {
  sentence: string;
  /** What was measured, if anything. */
  figure?: string;
  /** Why it failed. */
  problem?: string;
  /** Why it was not tried here. */
  skipped?: string;
  ms: number;
}

/** A test cluster may be small: what is asked for decides how much fits, and limits nothing. */
const SMALL = set({
  'defaults.resources.requests.cpu': '10m',
  'nats.resources.requests.cpu': '10m',
  'verify.resources.requests.cpu': '10m',
  'backup.resources.requests.cpu': '10m',
});
const MONGO_IMAGE = { repository: 'mongo', tag: '8.0' };

const valuesOf = (where: string, { repository, tag }: Image) =>
  set({ [`${where}.repository`]: repository, [`${where}.tag`]: tag });

/** What scenarios use: images, releases and the checks that are counted. */
export class Suite {
  /** Part of every name, so that two runs do not meet. */
  readonly #run = randomBytes(2).toString('hex');
  readonly #images: Images;
  readonly killer: Killer;
  readonly image: string;
  /** Which database the releases have. */
  readonly database: string;
  readonly #values: readonly string[];
  readonly #releases: Release[] = [];
  readonly #kept: (() => Promise<void>)[] = [];
  readonly #told: (check: Check) => void;
  #town: Promise<Town> | undefined;

  private constructor(images: Images, image: Image, standIn: Image | undefined, told: (check: Check) => void) {
    this.#images = images;
    this.image = `${image.repository}:${image.tag}`;
    this.database = standIn
      ? 'a stand-in for MongoDB, slow: no figure here is one of MongoDB'
      : `${MONGO_IMAGE.repository}:${MONGO_IMAGE.tag}`;
    this.#values = [...SMALL, ...valuesOf('image', image), ...(standIn ? valuesOf('mongodb.bundled.image', standIn) : [])];
    this.#told = told;
    this.killer = new Killer(`${NAME}-test-${this.#run}-killer`, this.image);
  }

  /** Builds the images and loads them. `told` hears each check. */
  static async open(say: (line: string) => void, told: (check: Check) => void): Promise<Suite> {
    const images = await Images.open();
    say('building the image');
    const image = await images.build('smspay', 'k8s/Dockerfile');
    const { repository, tag } = MONGO_IMAGE;
    if (await images.canPull(`docker.io/library/${repository}:${tag}`)) return new Suite(images, image, undefined, told);
    say('no MongoDB image can be had: building a stand-in for it');
    return new Suite(images, image, await images.build('mongod-stand-in', 'k8s/stand-in.Dockerfile'), told);
  }

  /** Counts what `work` finds: it throws, or says a figure. */
  async check(sentence: string, work: () => Promise<string | void>): Promise<void> {
    const began = Date.now();
    try {
      const figure = await work();
      this.#told({ sentence, ms: Date.now() - began, ...(figure ? { figure } : {}) });
    } catch (error) {
      this.#told({ sentence, ms: Date.now() - began, problem: (error as Error).message });
    }
  }

  /** Says what this cluster cannot show. */
  skip(sentence: string, skipped: string): void {
    this.#told({ sentence, ms: 0, skipped });
  }

  /** A release in a namespace of its own, not installed yet; removed at the end of the scenario. */
  async release(name: string, values: readonly string[] = []): Promise<Release> {
    const release = new Release(`${NAME}-test-${this.#run}-${name}`, [...values, ...this.#values]);
    this.#releases.push(release);
    await release.makeNamespace();
    return release;
  }

  /** The one release under load that scenarios share: the demo with two pods of each service. Installed when the first one asks. */
  town(): Promise<Town> {
    this.#town ??= this.#openTown();
    return this.#town;
  }

  /** An image of other sources, for what runs beside this version. */
  build(context: string): Promise<Image> {
    return this.#images.build('smspay', 'k8s/Dockerfile', context);
  }

  /** At the end of a scenario: its releases go. */
  async tidy(): Promise<void> {
    for (const release of this.#releases.splice(0)) await release.remove();
  }

  async close(): Promise<void> {
    await this.tidy();
    for (const close of this.#kept) await close();
    await this.killer.remove();
  }

  async #openTown(): Promise<Town> {
    const values = ['-f', `${CHART}/values-dev.yaml`, ...set({ 'defaults.replicas': 2, 'env.OTEL_EXPORTER_OTLP_ENDPOINT': '' })];
    const release = new Release(`${NAME}-test-${this.#run}-town`, [...values, ...this.#values]);
    this.#kept.push(() => release.remove());
    await release.makeNamespace();
    await release.install();
    const town = await Town.open(release);
    this.#kept.unshift(async () => town.close());
    return town;
  }
}

/** Fails where the current context is no cluster of kind. */
export async function mustBeTestCluster(): Promise<void> {
  const context = (await kubectl(['config', 'current-context'])).trim();
  if (context.startsWith('kind-')) return;
  throw new Error(
    `${context}: is no cluster of kind, and pods are killed here. kind create cluster --config k8s/kind.yaml makes one; a context of\n` +
      'another cluster for tests is taken if it is named kind-… and a command kind on PATH loads images into it.',
  );
}
