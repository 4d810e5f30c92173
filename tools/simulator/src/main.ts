import { nameLogs, WRONG_SETTINGS } from '#libs/runtime';
import { readSettings } from './settings.ts';
import { Simulator } from './simulator.ts';

nameLogs('simulator');
const read = readSettings(process.env);
if ('problems' in read) {
  for (const problem of read.problems) console.error(problem);
  process.exit(WRONG_SETTINGS);
}

try {
  const simulator = new Simulator(read.settings);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void simulator.close().then(() => process.exit(0)));
  console.log(`The phones are at ${await simulator.listen()}`);
} catch (error) {
  console.error(`the simulator does not start: ${(error as Error).message}`);
  process.exit(1);
}
