import { execFile, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { Command, InvalidArgumentError, Option } from 'commander';
import { MUTANTS } from './mutants.ts';
import { planOf, textOf } from './plan.ts';
import { kindOf, shrunk, withSteps } from './shrink.ts';
import { type Ending, World } from './world.ts';

const SAY_EVERY_MS = 5_000;
const LAST_LINES = 40;
/** A line that tells what a process did outside. */
const EFFECT = /^\S+ {5}/;

const whole = (text: string) => {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
};
const atLeastOne = (text: string) => {
  const number = whole(text);
  if (number === 0) throw new InvalidArgumentError('must be 1 or more');
  return number;
};
const places = (text: string) => text.split(',').map(whole);
/** All mutants are found in these, as docs/simulation.md says. */
const MUTANTS_FROM = 30_000;
const MUTANTS_SEEDS = 300;

const program = new Command('npm run simulate --')
  .description(
    'The real services in one process, in virtual time, with everything going wrong that can. A seed that breaks an invariant is told as a story.',
  )
  .option('--seeds <n>', `how many worlds live (default: 200; with --mutants ${MUTANTS_SEEDS} for each)`, atLeastOne)
  .option('--from <seed>', `the first of them (default: a random one; with --mutants ${MUTANTS_FROM})`, whole)
  .option('--seed <seed>', 'one world, told whether it breaks or not', whole)
  .option('--steps <places>', 'with --seed: only these steps of its plan, as a shrunk story names them', places)
  .option('--all', 'with --seed: tell every effect of every process too')
  .option('--brief', 'of what breaks tell only the first line')
  .option('--jobs <n>', 'how many worlds live at once', atLeastOne, availableParallelism())
  .addOption(new Option('--worker').hideHelp())
  .option('--mutants [names...]', 'plant known bugs (docs/simulation.md), each alone, and see that each is found within --seeds')
  .parse();

interface Options {
  seeds?: number;
  from?: number;
  seed?: number;
  steps?: number[];
  all?: boolean;
  brief?: boolean;
  jobs: number;
  worker?: boolean;
  mutants?: true | string[];
}
const options = program.opts<Options>();

// Ended from outside, it takes its workers along: 128 and the signal's number, as shells have it.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
if (options.steps && options.seed === undefined) program.error('--steps are of one world: say which by --seed');
process.exit(await run());

function run(): Promise<number> {
  if (options.worker) return work();
  if (options.mutants !== undefined) return mutants(options.mutants, options);
  return options.seed === undefined ? many(options) : one(options.seed, options);
}

/** One world, told. */
async function one(seed: number, { steps, all = false }: Options): Promise<number> {
  const whole = planOf(seed);
  const beyond = steps?.filter((place) => place >= whole.steps.length) ?? [];
  if (beyond.length > 0)
    program.error(`the plan of seed ${seed} has ${whole.steps.length} steps; there is no ${beyond.join(', ')}`);
  const plan = steps ? withSteps(whole, steps) : whole;
  const ending = await new World(plan, { kept: true }).live();
  for (const line of all ? ending.story : shortened(ending.story, ending.broken)) console.log(line);
  console.log(
    `${ending.sms} SMS and ${ending.texts} texts to people, ${ending.steps} events, ${Math.round(ending.ms / 1000)} s of virtual time`,
  );
  for (const broken of ending.broken) console.log(styleText('red', `BROKEN ${broken}`));
  if (ending.broken.length === 0) console.log('nothing broke');
  return ending.broken.length > 0 ? 1 : 0;
}

/** Many worlds, until one breaks; on several cores at once. */
async function many({ seeds = 200, from = Date.now() % 1_000_000_000, brief, jobs }: Options): Promise<number> {
  const beganMs = performance.now();
  let saidMs = beganMs;
  let [lives, sms, texts, virtualMs] = [0, 0, 0, 0];
  const said = () => {
    const seconds = (performance.now() - beganMs) / 1000;
    const hours = (virtualMs / 3_600_000).toFixed(1);
    const speed = `${Math.round((sms + texts) / seconds)} SMS/s on ${jobs === 1 ? 'one core' : `${jobs} cores`}`;
    console.log(
      `${lives} worlds from seed ${from}: ${sms} SMS from people, ${texts} to them, ${hours} h of virtual time in ${seconds.toFixed(0)} s: ${speed}`,
    );
  };
  const broken = await lived(from, seeds, jobs, (ending) => {
    lives++;
    sms += ending.sms;
    texts += ending.texts;
    virtualMs += ending.ms;
    if (brief || performance.now() - saidMs < SAY_EVERY_MS) return;
    saidMs = performance.now();
    said();
  });
  if (!brief) said();
  if (!broken) {
    if (!brief) console.log('nothing broke');
    return 0;
  }
  if (brief) console.log(`seed ${broken.seed} breaks: ${broken.ending.broken[0]}`);
  else await tell(broken.seed, broken.ending);
  return 1;
}

type Lived = Pick<Ending, 'broken' | 'sms' | 'texts' | 'ms'>;

/** Lets worlds live, `jobs` of them at a time; stops at one that breaks. */
async function lived(
  from: number,
  seeds: number,
  jobs: number,
  each: (ending: Lived) => void,
): Promise<{ seed: number; ending: Lived } | undefined> {
  if (jobs === 1) {
    for (let seed = from; seed < from + seeds; seed++) {
      const ending = await new World(planOf(seed)).live();
      each(ending);
      if (ending.broken.length > 0) return { seed, ending };
    }
    return undefined;
  }
  const workers = Array.from({ length: Math.min(jobs, seeds) }, () => fork(fileURLToPath(import.meta.url), ['--worker']));
  let next = from;
  try {
    return await new Promise((resolve, reject) => {
      let left = seeds;
      for (const worker of workers) {
        const give = () => next < from + seeds && worker.send(next++);
        worker.on('message', ({ seed, ending }: { seed: number; ending: Lived }) => {
          each(ending);
          if (ending.broken.length > 0) resolve({ seed, ending });
          else if (--left === 0) resolve(undefined);
          else give();
        });
        worker.on('error', reject);
        worker.on('exit', (code) => reject(new Error(`a world ended the process: exit code ${code}`)));
        give();
      }
    });
  } finally {
    for (const worker of workers) worker.kill();
  }
}

/** One of several at work: lets the worlds live that it is told. */
function work(): Promise<number> {
  process.on('message', (seed: number) => {
    void new World(planOf(seed)).live().then(({ broken, sms, texts, ms }) => {
      // Whoever found enough meanwhile hears no more.
      process.send?.({ seed, ending: { broken, sms, texts, ms } }, undefined, undefined, () => undefined);
    });
  });
  return new Promise((resolve) => process.once('disconnect', () => resolve(0)));
}

/** Each known bug in a process of its own. */
async function mutants(names: true | string[], { seeds = MUTANTS_SEEDS, from = MUTANTS_FROM, jobs }: Options): Promise<number> {
  const unknown = names === true ? [] : names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0)
    program.error(`no mutant ${unknown.join(', ')}; there are ${MUTANTS.map(({ name }) => name).join(', ')}`);
  let survivors = 0;
  for (const { name, bug } of MUTANTS.filter((mutant) => names === true || names.includes(mutant.name))) {
    const { code, printed } = await lives({ SMSPAY_MUTANT: name }, [
      '--brief',
      '--seeds',
      String(seeds),
      '--from',
      String(from),
      '--jobs',
      String(jobs),
    ]);
    const found = code === 1 && printed.startsWith('seed ');
    if (!found) survivors++;
    console.log(`${found ? '✓' : styleText('red', '✗')} ${name}: ${bug}`);
    console.log(`    ${found ? printed.trim().slice(0, 200) : `not found in ${seeds} worlds\n${printed}`}`);
  }
  console.log(survivors === 0 ? 'all are found' : styleText('red', `${survivors} are not found`));
  return survivors === 0 ? 0 : 1;
}

/** This program again, with a bug planted as its code is loaded. */
function lives(env: Record<string, string>, args: string[]): Promise<{ code: number; printed: string }> {
  const plant = fileURLToPath(new URL('./plant.js', import.meta.url));
  const main = fileURLToPath(import.meta.url);
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...process.execArgv, '--import', plant, main, ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        process.off('exit', end);
        resolve({ code: error ? Number(error.code) : 0, printed: stdout + stderr });
      },
    );
    const end = () => child.kill();
    process.once('exit', end);
  });
}

/** What people said, what went wrong, what concerns the documents that a broken line names, and the last moments whole. */
function shortened(story: readonly string[], broken: readonly string[]): string[] {
  const named = [...new Set(broken.join(' ').match(/\bSM[0-9a-f]{32}\b/g))];
  const isTold = (line: string, place: number) =>
    place >= story.length - LAST_LINES || !EFFECT.test(line) || named.some((id) => line.includes(id));
  const told = story.filter(isTold);
  const left = story.length - told.length;
  return left > 0 ? [...told, `(${left} effects of processes are left out: --all tells them too)`] : told;
}

/** The story of a seed that breaks, with as few steps as still break it. */
async function tell(seed: number, ending: Lived): Promise<void> {
  const plan = planOf(seed);
  console.log(styleText('red', `\nseed ${seed} breaks: ${ending.broken[0]}`));
  console.log(`its plan has ${plan.steps.length} steps; looking for those that matter …`);
  const kept = await shrunk(plan, kindOf(ending));
  const shorter = withSteps(plan, kept);
  const { story, broken } = await new World(shorter, { kept: true }).live();
  console.log(`\n${kept.length} are enough:`);
  for (const step of shorter.steps) console.log(`  ${textOf(step)}`);
  console.log('\nWhat happened:');
  for (const line of shortened(story, broken)) console.log(line);
  for (const line of broken) console.log(styleText('red', `BROKEN ${line}`));
  console.log(`\nTo see it again: npm run simulate -- --seed ${seed} --steps ${kept.join(',')}`);
}
