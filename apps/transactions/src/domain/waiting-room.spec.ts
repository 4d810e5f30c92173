import { describe, expect, it } from '@jest/globals';
import type { SmsId } from '#libs/contracts';
import fc from 'fast-check';
import {
  counts,
  emptyAt,
  entered,
  givenBack,
  GUESSED_FOR_MS,
  GUESSES_MAX,
  holdersOf,
  isGuessedAt,
  judged,
  left,
  lengthened,
  type Waiting,
  type WaitingRoom,
  withTicket,
} from './waiting-room.ts';

const MINUTE_MS = 60_000;
const EMPTY: WaitingRoom = { things: [], tickets: [] };
const at = (minute: number) => new Date(minute * MINUTE_MS);
const sms = (index: number) => `SM${index}` as SmsId;
const thing = (index: number, kind: Waiting['kind'] = 'pay', until = at(20)): Waiting => ({
  id: `SM${index}`,
  kind,
  until,
  codeN: 0,
  codeDigits: 6,
});
const withWrong = (room: WaitingRoom, index: number, minute: number): WaitingRoom => {
  const taken = withTicket(room, sms(index), at(minute), at(minute));
  return typeof taken === 'string' ? room : judged(taken, sms(index), 'wrong');
};

describe('what waits', () => {
  it('holds a place of its kind until it is over', () => {
    const room = [thing(1), thing(2), thing(3, 'request')].reduce((now, next) => entered(now, next, at(0)), EMPTY);
    expect(holdersOf(room, 'pay').map(({ id }) => id)).toEqual(['SM1', 'SM2']);
    expect(holdersOf(left(room, ['SM1']), 'pay').map(({ id }) => id)).toEqual(['SM2']);
    expect(holdersOf(left(room, ['SM1']), 'request')).toHaveLength(1);
    expect(left(room, ['SM9'])).toBe(room);
    const again = entered(left(room, ['SM1']), thing(1), at(1));
    expect(holdersOf(again, 'pay').map(({ id }) => id)).toEqual(['SM2', 'SM1']);
    expect(again.things).toHaveLength(3);
  });

  it('is known by its code for a day after, the newest thirty', () => {
    let room = EMPTY;
    for (let index = 0; index < 40; index++) room = left(entered(room, thing(index, 'pay', at(index)), at(40)), [`SM${index}`]);
    room = entered(room, thing(40, 'pay', at(60)), at(40));
    expect(room.things.map(({ id }) => id)).toEqual([...Array.from({ length: 30 }, (_, index) => `SM${index + 10}`), 'SM40']);
    room = entered(room, thing(41, 'pay', at(60)), at(24 * 60 + 35));
    expect(room.things.map(({ id }) => id)).toEqual(['SM36', 'SM37', 'SM38', 'SM39', 'SM40', 'SM41']);
  });

  it('needs its room for a day after its end, as a ticket does', () => {
    expect(emptyAt(entered(EMPTY, thing(1, 'pay', at(20)), at(0)))).toEqual(at(24 * 60 + 20));
    expect(emptyAt(withTicket(EMPTY, sms(1), at(3), at(5)) as WaitingRoom)).toEqual(at(24 * 60 + 63));
    expect(emptyAt(withTicket(EMPTY, sms(1), at(3), at(500)) as WaitingRoom)).toEqual(at(24 * 60 + 500));
    expect(emptyAt(lengthened(EMPTY, at(3), at(3)))).toEqual(at(63));
  });
});

describe('tickets', () => {
  it('are five in any hour, whatever comes in which order, is judged and is given back', () => {
    const step = fc.record({
      sms: fc.nat(15),
      minute: fc.nat(180),
      lateBy: fc.oneof(fc.nat(30), fc.integer({ min: 120, max: 600 })),
      is: fc.constantFrom('wrong', 'right', 'back', 'unknown'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let room = EMPTY;
        // Wrong ones, by when their SMS was recorded: each SMS is recorded once.
        const recorded = new Map<number, number>();
        const wrong = new Map<SmsId, number>();
        for (const { sms: index, minute, lateBy, is } of steps) {
          const id = sms(index);
          const recordedAt = recorded.get(index) ?? minute;
          recorded.set(index, recordedAt);
          if (wrong.has(id)) continue;
          const before = [...wrong.values()].filter((other) => other > recordedAt - 60 && other <= recordedAt).length;
          const taken = withTicket(room, id, at(recordedAt), at(Math.max(recordedAt, minute) + lateBy));
          if (typeof taken === 'string') continue;
          expect(before).toBeLessThan(GUESSES_MAX);
          room = taken;
          for (const { until } of room.tickets) {
            const hour = room.tickets.filter(
              (other) => other.until <= until && other.until > new Date(until.getTime() - GUESSED_FOR_MS),
            );
            expect(hour.length).toBeLessThanOrEqual(GUESSES_MAX);
          }
          expect(withTicket(room, id, at(recordedAt), at(minute))).toBe(room);
          if (is === 'back') room = givenBack(room, id);
          else if (is !== 'unknown') room = judged(room, id, is);
          if (is === 'wrong') wrong.set(id, recordedAt);
        }
      }),
    );
  });

  it('are waited for while it is not known of one whether it is wrong, five minutes long, and a right one for a day', () => {
    let room = EMPTY;
    for (let index = 0; index < GUESSES_MAX - 1; index++) room = withWrong(room, index, 0);
    room = withTicket(room, sms(4), at(0), at(0)) as WaitingRoom;
    expect(withTicket(room, sms(5), at(0), new Date(5 * MINUTE_MS - 1))).toBe('wait');
    expect(withTicket(room, sms(5), at(0), at(5))).toBe('none');
    const driven = withTicket(room, sms(4), at(0), at(4)) as WaitingRoom;
    expect(withTicket(driven, sms(5), at(0), at(8))).toBe('wait');
    const right = judged(room, sms(4), 'right');
    expect(withTicket(right, sms(5), at(0), at(24 * 60 - 1))).toBe('wait');
    expect(withTicket(right, sms(5), at(0), at(24 * 60))).toBe('none');
    expect(withTicket(givenBack(room, sms(4)), sms(5), at(0), at(0))).toMatchObject({ tickets: { length: GUESSES_MAX } });
  });

  it('count for the SMS of their hour alone, however late it is understood', () => {
    let room = EMPTY;
    for (let index = 0; index < GUESSES_MAX; index++) room = withWrong(room, index, 300);
    expect(withTicket(room, sms(5), at(241), at(310))).toBe('none');
    expect(withTicket(room, sms(5), at(240), at(310))).toMatchObject({ tickets: { length: GUESSES_MAX + 1 } });
    expect(withTicket(room, sms(5), at(300), at(24 * 60))).toBe('none');
    expect(withTicket(room, sms(5), at(24 * 60 + 360), at(24 * 60 + 360))).toMatchObject({ tickets: { length: 1 } });
  });

  it('that went to wrong codes make all that waits longer', () => {
    let room = left(entered(entered(EMPTY, thing(10), at(0)), thing(11), at(0)), ['SM11']);
    for (let index = 0; index < GUESSES_MAX; index++) {
      expect(isGuessedAt(room, at(0), at(0))).toBe(false);
      room = withWrong(room, index, 0);
    }
    expect(isGuessedAt(room, at(0), at(0))).toBe(true);
    expect(isGuessedAt(room, at(60), at(60))).toBe(false);
    const longer = lengthened(room, at(0), at(1));
    expect(longer.things[0]).toMatchObject({ id: 'SM10', longerSince: at(1) });
    expect(longer.things.map(({ codeDigits }) => codeDigits)).toEqual([9, 6]);
    expect(longer.guessedUntil).toEqual(at(60));
    expect(lengthened(longer, at(-5), at(2))).toBe(longer);
    expect(lengthened(longer, at(5), at(6))).toMatchObject({ guessedUntil: at(65), things: [{ longerSince: at(1) }, {}] });
  });

  it('let a code of six digits count that was on its way when codes were made longer', () => {
    const short = thing(1);
    const longer = { ...short, codeDigits: 9 as const, longerSince: at(5) };
    expect([counts(short, 6, at(9), true), counts(short, 6, at(9), false)]).toEqual([true, false]);
    expect([counts(longer, 6, at(4), true), counts(longer, 6, at(4), false), counts(longer, 6, at(5), true)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([counts(longer, 9, at(9), false), counts(longer, 9, at(9), true)]).toEqual([true, true]);
  });
});
