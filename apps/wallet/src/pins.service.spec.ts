import { createSecretKey, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Msisdn, PinAnswer, SmsId } from '#libs/contracts';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { ensureIndexes } from '#libs/mongo';
import { DataKeys, realHost, Secret, Unavailable } from '#libs/runtime';
import { KEYS, type WalletProcess, walletProcess } from './wallet.spec-helper.ts';

const PEPPERS = ['old', 'new'].map((id, byte) => ({ id, key: createSecretKey(Buffer.alloc(32, byte)) }));
const [OLD, NEW] = PEPPERS as [(typeof PEPPERS)[0], (typeof PEPPERS)[0]];
const dataKeys = new DataKeys(KEYS, realHost);

describe('the PINs of wallets', () => {
  let server: MongoServer;
  /** Two processes. */
  let wallets: [WalletProcess, WalletProcess];
  let people = 0;
  beforeAll(async () => {
    server = await startMongo();
    wallets = [await walletProcess(server.uri('pins')), await walletProcess(server.uri('pins'))];
    await ensureIndexes(wallets[0].connection);
  });
  afterAll(async () => {
    for (const wallet of wallets) await wallet.stop();
    await server.stop();
  });

  const newId = () => `SM${randomBytes(16).toString('hex')}` as SmsId;
  const joins = async () => {
    const number = `+2547120${String(++people).padStart(5, '0')}` as Msisdn;
    const { party } = await wallets[0].people.open({ number, name: 'Ada', language: 'en', cause: newId() });
    return { number, walletId: party.walletId };
  };
  const set = (number: Msisdn, pin: string, old?: string, inputId = newId(), wallet = wallets[0]): Promise<PinAnswer> => {
    const seal = (text: string) => dataKeys.seal(new Secret(text), `pin:${inputId}`);
    return wallet.pinService.set({ number, inputId, pin: seal(pin), ...(old === undefined ? {} : { old: seal(old) }) });
  };

  it('are set, and changed by the old one alone', async () => {
    const { number } = await joins();
    expect(await set(number, '8306')).toEqual({ result: 'set' });
    expect(await set(number, '9417')).toEqual({ result: 'old_needed' });
    expect(await set(number, '9417', '5027')).toEqual({ result: 'wrong', left: 2 });
    expect(await set(number, '9417', '8306')).toEqual({ result: 'set' });
    expect(await set(number, '5027', '8306')).toEqual({ result: 'wrong', left: 2 });
  });

  it('are refused that have another form or are too easy, with a wallet and without, and that is no try', async () => {
    const { number, walletId } = await joins();
    for (const anybody of [number, '+254799999999' as Msisdn]) {
      expect(await set(anybody, '123')).toEqual({ result: 'malformed' });
      expect(await set(anybody, '1234')).toEqual({ result: 'too_easy', why: 'in_a_row' });
    }
    expect(await set('+254799999999' as Msisdn, '8306')).toEqual({ result: 'no_wallet' });
    expect(await wallets[0].pins.findById(walletId)).toBeNull();
  });

  it('are kept as argon2id with all that it was made with, and neither they nor the pepper', async () => {
    const { number, walletId } = await joins();
    await set(number, '83069274');
    const stored = await wallets[0].pins.findById(walletId).lean();
    const cost = { memoryKiB: 19_456, passes: 2, parallelism: 1, pepper: 'k1' };
    expect(stored?.hash).toMatchObject(cost);
    expect(Buffer.from(stored?.hash?.salt ?? '', 'base64')).toHaveLength(16);
    expect(JSON.stringify(stored)).not.toContain('83069274');
    const other = await joins();
    await set(other.number, '83069274');
    expect((await wallets[0].pins.findById(other.walletId).lean())?.hash?.tag).not.toBe(stored?.hash?.tag);
  });

  it('count each input once, however often it is driven, and after the lock too', async () => {
    const { number } = await joins();
    await set(number, '8306');
    const ids = [newId(), newId(), newId()] as const;
    const first = await Promise.all(ids.map((id) => set(number, '9417', '5027', id)));
    const again = await Promise.all(
      [...ids, ...ids, ...ids].map((id, index) => set(number, '9417', '5027', id, wallets[(index % 2) as 0 | 1])),
    );
    expect(again).toEqual([...first, ...first, ...first]);
    expect(first.map(({ result }) => result).sort()).toEqual(['locked', 'wrong', 'wrong']);
    expect(await set(number, '9417', '8306')).toMatchObject({ result: 'locked' });
  });

  it('are not guessed by twenty at once: three count, and the right one only before the lock', async () => {
    for (let round = 0; round < 3; round++) {
      const { number, walletId } = await joins();
      await set(number, '8306');
      const guesses = Array.from({ length: 20 }, (_, index) => (index === 9 ? '8306' : String(5_000 + index)));
      const ids = guesses.map(newId);
      // As transactions does: what is unavailable is asked again.
      const insists = (index: number): Promise<PinAnswer> =>
        set(number, '9417', guesses[index], ids[index], wallets[(index % 2) as 0 | 1]).catch((error: unknown) => {
          if (!(error instanceof Unavailable)) throw error;
          return insists(index);
        });
      const answers = await Promise.all(guesses.map((_, index) => insists(index)));
      const { inputs = [], lockedUntil } = (await wallets[0].pins.findById(walletId).lean()) ?? {};
      const inOrder = inputs.slice(1).map(({ id }) => ids.indexOf(id));
      expect(inOrder.toSorted((one, other) => one - other)).toEqual(guesses.map((_, index) => index));
      const lock = inOrder.findIndex((index) => answers[index]?.result === 'locked');
      expect(lockedUntil).toBeDefined();
      const right = inOrder.indexOf(9);
      expect(answers[9]?.result).toBe(right < lock ? 'set' : 'locked');
      expect(inOrder.slice(0, lock).filter((index) => answers[index]?.result === 'wrong').length).toBeLessThanOrEqual(
        right < lock ? 4 : 2,
      );
      for (const index of inOrder.slice(lock)) expect(answers[index]).toEqual({ result: 'locked', until: lockedUntil });
    }
  });

  it('are hashed under the first pepper, and checked under each; a right one is made anew under the first', async () => {
    const { number, walletId } = await joins();
    const of = async (...peppers: typeof PEPPERS) => {
      const wallet = await walletProcess(server.uri('pins'), { PIN_PEPPER: peppers });
      return Object.assign(wallet, { pepper: async () => (await wallet.pins.findById(walletId).lean())?.hash?.pepper });
    };
    const [before, during, after] = [await of(OLD), await of(NEW, OLD), await of(NEW)] as const;
    expect(await set(number, '8306', undefined, newId(), before)).toEqual({ result: 'set' });
    expect(await before.pepper()).toBe('old');
    await expect(set(number, '9417', '8306', newId(), after)).rejects.toThrow('PIN_PEPPER lacks the key old');
    expect(await set(number, '9417', '5027', newId(), during)).toEqual({ result: 'wrong', left: 2 });
    expect(await set(number, '9417', '8306', newId(), during)).toEqual({ result: 'set' });
    expect(await during.pepper()).toBe('new');
    expect(await set(number, '5027', '9417', newId(), after)).toEqual({ result: 'set' });
    for (const wallet of [before, during, after]) await wallet.stop();
  });

  it('are set by one of many who come first at once', async () => {
    const { number } = await joins();
    const answers = await Promise.all(
      ['8306', '9417', '5027', '6138'].map((pin, index) => set(number, pin, undefined, newId(), wallets[(index % 2) as 0 | 1])),
    );
    expect(answers.map(({ result }) => result).sort()).toEqual(['old_needed', 'old_needed', 'old_needed', 'set']);
  });
});
