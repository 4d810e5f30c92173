import { styleText } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import { planOf, textOf } from './plan.ts';
import { kindOf, shrunk, withSteps } from './shrink.ts';
import { type Ending, World } from './world.ts';

const SAY_EVERY_MS = 5_000;

const whole = (text: string) => {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('must be a whole number');
  return number;
};
const places = (text: string) => (text === '' ? [] : text.split(',').map(whole));

const program = new Command('npm run simulate --')
  .description(
    'The real services in one process, in virtual time, with everything going wrong that can. A seed that breaks an invariant is told as a story.',
  )
  .option('--seeds <n>', 'how many worlds live', whole, 200)
  .option('--from <seed>', 'the first of them (default: a random one)', whole)
  .option('--seed <seed>', 'one world, told whether it breaks or not', whole)
  .option('--steps <places>', 'with --seed: only these steps of its plan, as a shrunk story names them', places)
  .option('--all', 'with --seed: tell every effect of every process too')
  .parse();

interface Options {
  seeds: number;
  from?: number;
  seed?: number;
  steps?: number[];
  all?: boolean;
}
const options = program.opts<Options>();

process.exitCode = await (options.seed === undefined ? many(options) : one(options.seed, options));

/** One world, told. */
async function one(seed: number, { steps, all = false }: Options): Promise<number> {
  const whole = planOf(seed);
  const plan = steps ? withSteps(whole, steps) : whole;
  const ending = await new World(plan, { kept: true }).live();
  for (const line of ending.story) if (all || !/^\S+ {4}/.test(line)) console.log(line);
  console.log(`${ending.sms} SMS, ${ending.steps} events, ${Math.round(ending.ms / 1000)} s of virtual time`);
  for (const broken of ending.broken) console.log(styleText('red', `BROKEN ${broken}`));
  return ending.broken.length > 0 ? 1 : 0;
}

/** Many worlds, until one breaks. */
async function many({ seeds, from = Date.now() % 1_000_000_000 }: Options): Promise<number> {
  const beganMs = performance.now();
  let saidMs = beganMs;
  let sms = 0;
  let virtualMs = 0;
  const said = (lives: number) => {
    const seconds = (performance.now() - beganMs) / 1000;
    console.log(
      `${lives} worlds from seed ${from}: ${sms} SMS, ${(virtualMs / 3_600_000).toFixed(1)} h of virtual time in ${seconds.toFixed(0)} s: ${Math.round(sms / seconds)} SMS/s`,
    );
  };
  for (let life = 0; life < seeds; life++) {
    const seed = from + life;
    const ending = await new World(planOf(seed)).live();
    sms += ending.sms;
    virtualMs += ending.ms;
    if (ending.broken.length > 0) {
      said(life + 1);
      await tell(seed, ending);
      return 1;
    }
    if (performance.now() - saidMs > SAY_EVERY_MS) {
      saidMs = performance.now();
      said(life + 1);
    }
  }
  said(seeds);
  return 0;
}

/** The story of a seed that breaks, with as few steps as still break it. */
async function tell(seed: number, ending: Ending): Promise<void> {
  const plan = planOf(seed);
  console.log(styleText('red', `\nseed ${seed} breaks: ${ending.broken[0]}`));
  console.log(`its plan has ${plan.steps.length} steps; looking for those that matter …`);
  const kept = await shrunk(plan, kindOf(ending));
  const shorter = withSteps(plan, kept);
  const { story, broken } = await new World(shorter, { kept: true }).live();
  console.log(`\n${kept.length} are enough:`);
  for (const step of shorter.steps) console.log(`  ${textOf(step)}`);
  console.log('\nWhat happened:');
  for (const line of story) console.log(line);
  for (const line of broken) console.log(styleText('red', `BROKEN ${line}`));
  console.log(`\nTo see it again: npm run simulate -- --seed ${seed} --steps ${kept.join(',')}`);
}
