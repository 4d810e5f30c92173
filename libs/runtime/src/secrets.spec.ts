import { createSecretKey } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { Sealed } from '#libs/contracts';
import fc from 'fast-check';
import { realHost } from './host.ts';
import { DataKeys, Secret } from './secrets.ts';

const key = (id: string, byte: number) => ({ id, key: createSecretKey(Buffer.alloc(32, byte)) });
const keys = new DataKeys([key('k2', 2), key('k1', 1)], realHost);

describe('a secret', () => {
  it('cannot be printed', () => {
    const secret = new Secret('493817');
    expect([`${secret.toString()}`, JSON.stringify({ secret }), inspect({ secret })].join(' ')).not.toContain('493817');
  });

  it('opens as what was sealed, in its own place only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.string(), (text, place, other) => {
        const sealed = keys.seal(new Secret(text), place);
        expect(keys.unseal(sealed, place).reveal()).toBe(text);
        if (other !== place) expect(() => keys.unseal(sealed, other)).toThrow();
      }),
    );
  });

  it('that was changed by a bit does not open', () => {
    const [id, text = ''] = keys.seal(new Secret('493817'), 'code:1').split('.');
    const bytes = Buffer.from(text, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => keys.unseal(`${id}.${flipped.toString('base64url')}` as Sealed, 'code:1')).toThrow();
    }
  });

  it('is sealed by the first key and opened by any', () => {
    const old = new DataKeys([key('k1', 1)], realHost).seal(new Secret('a'), 'x');
    expect(keys.unseal(old, 'x').reveal()).toBe('a');
    expect(keys.seal(new Secret('a'), 'x')).toMatch(/^k2\./);
    expect(() => new DataKeys([key('k3', 3)], realHost).unseal(old, 'x')).toThrow('DATA_KEYS has no key k1');
  });
});
