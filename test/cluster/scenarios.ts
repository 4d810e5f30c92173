import { alerts } from './alerts.ts';
import { autoscaler } from './autoscaler.ts';
import { chart } from './chart.ts';
import { drained } from './drained.ts';
import { budget, restricted } from './guarded.ts';
import { databaseKilled, killed, natsAway } from './killed.ts';
import { life } from './life.ts';
import { network, subjects } from './network.ts';
import { restore } from './restore.ts';
import { rolled } from './rolled.ts';
import { speed } from './speed.ts';
import type { Scenario } from './suite.ts';
import { versions } from './versions.ts';

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  chart,
  life,
  restricted,
  network,
  subjects,
  budget,
  rolled,
  killed,
  natsAway,
  alerts,
  drained,
  autoscaler,
  versions,
  speed,
  databaseKilled,
  restore,
];
