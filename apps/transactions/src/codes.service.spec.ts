import { createSecretKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Msisdn, SmsId } from '#libs/contracts';
import { type MongoServer, startMongo } from '#libs/dev-servers';
import { connectionOptions, ensureIndexes } from '#libs/mongo';
import { Clock } from '#libs/nest-service';
import { log, Metrics, realHost, Secret } from '#libs/runtime';
import mongoose, { type Connection } from 'mongoose';
import { CodesService } from './codes.service.ts';
import { codeOf } from './domain/code.ts';
import { PLACES, type Waiting } from './domain/waiting-room.ts';
import type { Settings } from './settings.ts';
import { WaitingRoomRecord, WaitingRoomSchema } from './waiting-room.schema.ts';

const key = (id: string, byte: number) => ({ id, key: createSecretKey(Buffer.alloc(32, byte)) });
const [OLD, NEW, DATA] = [key('old', 1), key('new', 2), key('data', 3)];

describe('what waits for the codes of a number', () => {
  let server: MongoServer;
  let connection: Connection;
  let numbers = 0;
  beforeAll(async () => {
    log.level = 'silent';
    server = await startMongo();
    connection = await mongoose.createConnection(server.uri('codes'), connectionOptions).asPromise();
    connection.model(WaitingRoomRecord.name, WaitingRoomSchema);
    await ensureIndexes(connection);
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  /** The codes of a process that has these keys. */
  const codesWith = (...keys: Settings['CODE_KEY']) => {
    const metrics = new Metrics(realHost);
    const clock = new Clock(realHost, metrics);
    clock.set(new Date(), realHost.monotonicMs());
    const settings = { CODE_KEY: keys, DATA_KEYS: [DATA] } as unknown as Settings;
    return new CodesService(connection.model<WaitingRoomRecord>(WaitingRoomRecord.name), clock, realHost, metrics, settings);
  };
  const someNumber = () => `+25471200${String(++numbers).padStart(4, '0')}` as Msisdn;
  const nobodyEnded = () => Promise.resolve([]);
  const enter = async (
    codes: CodesService,
    number: Msisdn,
    id: string,
    ended = nobodyEnded as (of: Waiting[]) => Promise<string[]>,
  ) => codes.enter(await codes.roomOf(number), { id, kind: 'pay', until: new Date(Date.now() + 60_000) }, ended);
  const codeBy = ({ key: of }: typeof OLD, thing: Waiting) => new Secret(codeOf(of, thing));

  it('keeps the code that it got when keys rotate; what comes then gets one of the new key', async () => {
    const number = someNumber();
    const first = await enter(codesWith(OLD), number, 'SM1');
    const rotated = codesWith(NEW, OLD);
    const second = await enter(rotated, number, 'SM2');
    if (!first || !second) throw new Error('no place');
    expect([first.codeKey, second.codeKey]).toEqual(['old', 'new']);
    expect(rotated.fits(first, codeBy(OLD, first))).toBe(true);
    expect(rotated.fits(first, codeBy(NEW, first))).toBe(false);
    expect(rotated.fits(second, codeBy(NEW, second))).toBe(true);
  });

  it('fits no code, and hinders nothing else, when its key was taken away', async () => {
    const number = someNumber();
    const first = await enter(codesWith(OLD), number, 'SM1');
    const without = codesWith(NEW);
    const second = await enter(without, number, 'SM2');
    if (!first || !second) throw new Error('no place');
    expect(without.fits(first, codeBy(OLD, first))).toBe(false);
    expect(without.seal(first, 'SM1:quote')).toBeUndefined();
    expect(without.fits(second, codeBy(NEW, second))).toBe(true);
    expect(without.unseal(without.seal(second, 'SM2') ?? ('' as never), 'SM2' as SmsId)).toEqual(codeBy(NEW, second));
  });

  it('gets one of five places, each a code of its own, however many come at once', async () => {
    const number = someNumber();
    const processes = [codesWith(OLD), codesWith(OLD)];
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, index) => enter(processes[index % 2] as CodesService, number, `SM${index}`)),
    );
    const placed = all.filter((thing) => thing !== undefined);
    expect(placed).toHaveLength(PLACES);
    expect(new Set(placed.map((thing) => codeOf(OLD.key, thing))).size).toBe(PLACES);
    expect((await codesWith(OLD).roomOf(number)).things.map(({ id }) => id).sort()).toEqual(placed.map(({ id }) => id).sort());
  });

  it('gives its place to another once it has ended, and waits as long as who opens it late', async () => {
    const [number, codes] = [someNumber(), codesWith(OLD)];
    for (let index = 0; index < PLACES; index++) await enter(codes, number, `SM${index}`);
    expect(await enter(codes, number, 'SM5')).toBeUndefined();
    expect(await enter(codes, number, 'SM5', () => Promise.resolve(['SM2']))).toMatchObject({ id: 'SM5' });
    expect(await enter(codes, number, 'SM6')).toBeUndefined();
    const later = new Date(Date.now() + 3_600_000);
    const again = await codes.enter(await codes.roomOf(number), { id: 'SM5', kind: 'pay', until: later }, nobodyEnded);
    expect(again).toMatchObject({ id: 'SM5', until: later });
    expect((await codes.roomOf(number)).things).toHaveLength(PLACES + 1);
  });

  it('has one place for a PIN: the newest takes it, and whoever comes again gets the code that it had', async () => {
    const [number, codes] = [someNumber(), codesWith(OLD)];
    await enter(codes, number, 'SM0');
    const replace = async (id: string) =>
      codes.replace(await codes.roomOf(number), { id, kind: 'pin', until: new Date(Date.now() + 60_000) });
    const first = await replace('SM1');
    expect(first).toMatchObject({ thing: { id: 'SM1', kind: 'pin' }, replaced: [] });
    const second = await replace('SM2');
    expect(second.replaced).toEqual([first.thing]);
    const again = await replace('SM1');
    expect(again).toEqual({ thing: { ...first.thing, over: true, until: again.thing.until }, replaced: [] });
    const all = await Promise.all(Array.from({ length: 8 }, (_, index) => replace(`SM${index + 3}`)));
    expect(all.flatMap(({ replaced }) => replaced.map(({ id }) => id)).sort()).toHaveLength(8);
    const { things } = await codes.roomOf(number);
    expect(things.filter(({ kind, over }) => kind === 'pin' && !over)).toHaveLength(1);
    expect(things.find(({ id }) => id === 'SM0')?.over).toBeUndefined();
  });

  it('has codes of nine digits from the fifth wrong one on', async () => {
    const [number, codes] = [someNumber(), codesWith(OLD)];
    await enter(codes, number, 'SM1');
    const at = new Date();
    for (let guess = 0; guess < 5; guess++) {
      const smsId = `SMguess${guess}` as SmsId;
      const { room, hasTicket } = await codes.takeTicket(smsId, number, at);
      expect(hasTicket).toBe(true);
      expect(await codes.wrong(room, smsId, at)).toHaveLength(guess < 4 ? 0 : 1);
    }
    expect(await codes.takeTicket('SMguess5' as SmsId, number, at)).toMatchObject({ hasTicket: false });
    expect((await codes.roomOf(number)).things).toMatchObject([{ id: 'SM1', codeDigits: 9 }]);
    expect(await enter(codes, number, 'SM2')).toMatchObject({ codeDigits: 9 });
  });
});
