import { healMsOf, type Plan } from './plan.ts';
import { type Ending, World } from './world.ts';

/** What kind of thing is broken: `I4`, `F22`, `liveness`. */
export const kindOf = ({ broken: [first = ''] }: Pick<Ending, 'broken'>) => first.split(':')[0] ?? '';

/** The plan with only some of its steps, by their places. */
export function withSteps(plan: Plan, kept: readonly number[]): Plan {
  const steps = kept.flatMap((place) => plan.steps[place] ?? []);
  return { ...plan, steps, healMs: Math.min(plan.healMs, healMsOf(steps)) };
}

/**
 * The fewest steps of a plan that still break the same kind of thing (delta debugging: Zeller and Hildebrandt, 2002), within so many lives.
 */
export async function shrunk(plan: Plan, kind: string, livesMax = 150): Promise<number[]> {
  let lives = 0;
  const breaks = async (kept: readonly number[]) =>
    lives++ < livesMax && kindOf(await new World(withSteps(plan, kept)).live()) === kind;
  let kept = plan.steps.map((_, place) => place);
  for (let size = Math.ceil(kept.length / 2); kept.length > 0;) {
    let smaller: number[] | undefined;
    for (let from = 0; from < kept.length && !smaller; from += size) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await breaks(rest)) smaller = rest;
    }
    if (smaller) {
      kept = smaller;
      size = Math.min(size, Math.max(1, Math.ceil(kept.length / 2)));
    } else if (size === 1) return kept;
    else size = Math.ceil(size / 2);
    if (lives >= livesMax) return kept;
  }
  return kept;
}
