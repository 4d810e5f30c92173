import { readSettings } from './settings.ts';
import { Simulator } from './simulator.ts';

/** Exit code of wrong settings (sysexits.h, EX_CONFIG): starting again does not help. */
const WRONG_SETTINGS = 78;

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
