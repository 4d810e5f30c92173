import { createSecretKey } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { Metrics, realHost, Secret, Unavailable } from '#libs/runtime';
import { PinHashes } from './pin-hashes.ts';
import type { Settings } from './settings.ts';

it('makes eight hashes at once, lets 32 wait, and refuses the rest', async () => {
  const metrics = new Metrics(realHost);
  const ends: (() => void)[] = [];
  let most = 0;
  const host = {
    ...realHost,
    argon2id: () =>
      new Promise<Buffer>(
        (resolve) =>
          (most = Math.max(
            most,
            ends.push(() => resolve(Buffer.alloc(32))),
          )),
      ),
  };
  const settings = { PIN_PEPPER: [{ id: 'k1', key: createSecretKey(Buffer.alloc(32)) }] } as unknown as Settings;
  const hashes = new PinHashes(host, metrics, settings);
  const all = Array.from({ length: 41 }, () => hashes.make(new Secret('8306')));
  await expect(all.pop()).rejects.toThrow(Unavailable);
  expect(ends).toHaveLength(8);
  expect(await metrics.text()).toContain('smspay_pin_hashes 40');
  // One after the other ends, and each time one that waited begins.
  for (let done = 0; done < 40; done++) {
    expect(ends.length - done).toBeLessThanOrEqual(8);
    ends[done]?.();
    await all[done];
  }
  expect(ends).toHaveLength(40);
  expect(await metrics.text()).toContain('smspay_pin_hashes 0');
});
