import { life } from './life.ts';
import { rolled } from './rolled.ts';
import type { Scenario } from './suite.ts';

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [life, rolled];
