import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Turns } from './turns.ts';

describe('turns', () => {
  it('keep work that shares a name in order, and let other work go on', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const gate = new EventEmitter();
    const work =
      (name: string, until: Promise<unknown> = Promise.resolve()) =>
      async () => {
        await until;
        done.push(name);
      };
    const all = [
      turns.take(['a', 'b'], work('a and b', once(gate, 'open'))),
      turns.take(['b', 'c'], work('b and c')),
      turns.take(['c'], work('c')),
      turns.take(['d'], work('d')),
    ];
    await all[3];
    expect(done).toEqual(['d']);
    gate.emit('open');
    await Promise.all(all);
    expect(done).toEqual(['d', 'a and b', 'b and c', 'c']);
  });

  it('go on after work that failed, whose error only its own caller gets', async () => {
    const turns = new Turns();
    const failed = turns.take(['a'], () => Promise.reject(new Error('no')));
    const next = turns.take(['a'], () => Promise.resolve('yes'));
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
