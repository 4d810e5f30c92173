import { describe, expect, it, jest } from '@jest/globals';
import { Kept, type Running, WrongSettings } from './keep.ts';

/** A part that dies when told. */
function mortal() {
  const exit = Promise.withResolvers<string>();
  const part = {
    exited: exit.promise,
    stop: jest.fn(async () => exit.resolve('exit code 0')),
    kill: jest.fn(async () => exit.resolve('SIGKILL')),
  } satisfies Running;
  return { part, die: exit.resolve };
}

/** What is said, to be waited for line by line. */
function listener() {
  const heard: string[] = [];
  const waiting: { line: RegExp; resolve: () => void }[] = [];
  return {
    heard,
    say: (said: string) => {
      heard.push(said);
      for (const { resolve } of waiting.filter(({ line }) => line.test(said))) resolve();
    },
    hears: (line: RegExp) => new Promise<void>((resolve) => waiting.push({ line, resolve })),
  };
}

const neverGivesUp = (error: Error) => {
  throw error;
};

describe('what is kept running', () => {
  it('is started again when it dies, and both is said', async () => {
    const [first, second] = [mortal(), mortal()];
    const starts = [first.part, second.part];
    const { say, hears, heard } = listener();
    const kept = new Kept('wallet', async () => starts.shift() ?? second.part, { say, giveUp: neverGivesUp });
    expect(await kept.start()).toBe(first.part);

    const back = hears(/^wallet is back$/);
    first.die('SIGKILL');
    await back;
    expect(heard).toEqual(['wallet died (SIGKILL): starting it again in 0.5 s', 'wallet is back']);
    await kept.stop();
    expect(second.part.stop).toHaveBeenCalledTimes(1);
  });

  it('waits longer each time it cannot be started', async () => {
    const first = mortal();
    let starts = 0;
    const { say, hears, heard } = listener();
    const start = async () => {
      starts += 1;
      if (starts > 1) throw new Error('no room');
      return first.part;
    };
    const kept = new Kept('wallet', start, { say, giveUp: neverGivesUp });
    await kept.start();
    const third = hears(/in 2 s$/);
    first.die('exit code 1');
    await third;
    await kept.stop();
    expect(heard).toEqual([
      'wallet died (exit code 1): starting it again in 0.5 s',
      'no room',
      'wallet died (it could not be started): starting it again in 1 s',
      'no room',
      'wallet died (it could not be started): starting it again in 2 s',
    ]);
    expect(starts).toBe(3);
  });

  it('is given up for wrong settings', async () => {
    const first = mortal();
    let starts = 0;
    const givenUp = Promise.withResolvers<Error>();
    const start = async () => {
      starts += 1;
      if (starts > 1) throw new WrongSettings('wallet: FEES: is missing');
      return first.part;
    };
    const kept = new Kept('wallet', start, { say: () => undefined, giveUp: givenUp.resolve });
    await kept.start();
    first.die('exit code 1');
    expect((await givenUp.promise).message).toBe('wallet: FEES: is missing');
    expect(starts).toBe(2);
  });

  it('is stopped while it starts, and not started again', async () => {
    const { part } = mortal();
    const ready = Promise.withResolvers<void>();
    const start = async (signal: AbortSignal) => {
      signal.addEventListener('abort', () => ready.resolve());
      await ready.promise;
      return part;
    };
    const { say, heard } = listener();
    const kept = new Kept('wallet', start, { say, giveUp: neverGivesUp });
    const started = kept.start();
    await kept.stop();
    expect(await started).toBe(part);
    expect(part.stop).toHaveBeenCalled();
    expect(heard).toEqual([]);
  });
});
