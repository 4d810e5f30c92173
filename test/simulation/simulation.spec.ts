import { describe, expect, it } from '@jest/globals';
import { planOf } from './plan.ts';
import { World } from './world.ts';

describe('a simulated world', () => {
  it('is the same each time that it lives', async () => {
    for (const seed of [300, 301, 302]) {
      const lives = [new World(planOf(seed), { kept: true }), new World(planOf(seed), { kept: true })];
      const [one, other] = [await lives[0]?.live(), await lives[1]?.live()];
      expect(one?.story).toEqual(other?.story);
      expect(one?.steps).toBe(other?.steps);
    }
  }, 60_000);
});
