import { EventEmitter, once } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import { NobodyWaits, realHost, Unavailable, within } from '#libs/runtime';
import { Turns, WAITING_MAX } from './turns.ts';

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

  it('are bounded for each name, and counted', async () => {
    const turns = new Turns();
    const gate = new EventEmitter();
    const opened = once(gate, 'open');
    const all = Array.from({ length: WAITING_MAX }, () => turns.take(['a'], () => opened));
    await expect(turns.take(['b', 'a'], () => opened)).rejects.toThrow(Unavailable);
    const other = turns.take(['b'], () => Promise.resolve('another'));
    expect(turns.waiting).toBe(WAITING_MAX + 1);
    gate.emit('open');
    expect(await other).toBe('another');
    await Promise.all(all);
    expect(turns.waiting).toBe(0);
    expect(await turns.take(['a'], () => Promise.resolve('again'))).toBe('again');
  });

  it('are not taken for somebody who has gone', async () => {
    const turns = new Turns();
    const work = jest.fn(() => Promise.resolve());
    await expect(within(realHost, 0, () => turns.take(['a'], work))).rejects.toThrow(NobodyWaits);
    expect(work).not.toHaveBeenCalled();
    expect(turns.waiting).toBe(0);
  });

  it('name the freest of several', async () => {
    const turns = new Turns();
    const gate = new EventEmitter();
    const opened = once(gate, 'open');
    expect(turns.freest(['a', 'b', 'c'])).toBe('a');
    const all = [turns.take(['a'], () => opened), turns.take(['a'], () => opened), turns.take(['b'], () => opened)];
    expect(turns.freest(['a', 'b'])).toBe('b');
    expect(turns.freest(['a', 'b', 'c'])).toBe('c');
    gate.emit('open');
    await Promise.all(all);
    expect(turns.freest(['a', 'b', 'c'])).toBe('a');
  });
});
