import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mongo } from 'mongoose';
import { compare, copyOf, isSame, overTheWire, type Value } from './values.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('\ud800', 'a\udfffb', '\uffff', '💚'));
const field = fc.string({ minLength: 1 }).filter((name) => !name.includes('\0') && name !== '__proto__');
const plain = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.date({ noInvalidDate: true }),
);
const anything = fc.letrec((tie) => ({
  document: fc.dictionary(field, tie('value'), { maxKeys: 5 }),
  value: fc.oneof({ depthSize: 'small' }, plain, tie('document'), fc.array(tie('value'), { maxLength: 4 })),
})).document as fc.Arbitrary<Record<string, unknown>>;

const throughBson = (document: object) =>
  mongo.BSON.deserialize(mongo.BSON.serialize(document, { ignoreUndefined: false }), { useBigInt64: true }) as object;

describe('a document on its way to the server and back', () => {
  it('becomes what BSON makes of it', () => {
    fc.assert(
      fc.property(anything, (document) => {
        const sent = overTheWire(document);
        const returned = throughBson(document);
        expect(sent).toEqual(returned);
        expect(Object.keys(sent)).toEqual(Object.keys(returned));
        expect(isSame(sent, returned as Value)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes with it what the driver has for numbers, and what serializes itself', () => {
    const { Long, Int32, Double } = mongo;
    const serializesItself = { toBSON: () => ({ text: 'x' }) };
    const document = { long: Long.fromBigInt(5n), int: new Int32(5), double: new Double(5), serializesItself };
    expect(overTheWire(document)).toEqual({ long: 5n, int: 5, double: 5, serializesItself: { text: 'x' } });
  });

  it('must be of types that are known', () => {
    const id = mongo.ObjectId.createFromTime(0);
    expect(() => overTheWire({ id })).toThrow('the simulated store does not know a type of BSON');
    expect(() => overTheWire({ pattern: /x/ })).toThrow('does not know');
  });

  it('shares nothing with what it was', () => {
    const document = { at: new Date(0), in: { list: [1] } };
    const sent = overTheWire(document);
    document.at.setTime(1);
    document.in.list.push(2);
    expect(sent).toEqual({ at: new Date(0), in: { list: [1] } });
    expect(isSame(copyOf(sent), sent)).toBe(true);
  });
});

describe('the order of values', () => {
  const values = anything.map((document) => overTheWire({ value: document['value'], ...document }));

  it('is one: total, and the same from both sides', () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 3, maxLength: 3 }), ([one, other, third]) => {
        const [a, b, c] = [one as Value, other as Value, third as Value];
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) + 0);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('is that of the bytes for texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        expect(Math.sign(compare(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)));
      }),
    );
  });

  it('goes by value for numbers, whatever their types', () => {
    expect([2, 1n, 1.5, NaN, -(2n ** 62n), 2 ** 62, null, 'x', true, new Date(0), [], {}].toSorted(compare)).toEqual([
      null,
      NaN,
      -(2n ** 62n),
      1n,
      1.5,
      2,
      2 ** 62,
      'x',
      {},
      [],
      true,
      new Date(0),
    ]);
    expect(compare(5, 5n)).toBe(0);
    expect(isSame(5, 5n)).toBe(false);
  });
});
