import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import * as any from './bodies.spec-helper.ts';
import {
  type ClientBody,
  cutText,
  decodeAck,
  decodeClientBody,
  decodeHello,
  decodeServerBody,
  encodeAck,
  encodeClientBody,
  encodeHello,
  encodeServerBody,
  LONG_BYTES,
  type ServerBody,
  type ServerBodyOf,
  SHORT_BYTES,
} from './bodies.ts';
import { concat, fromUtf8, padded, readUv, toHex, utf8, uv } from './bytes.ts';
import { bytes } from './vectors.spec-helper.ts';

const RUNS = { numRuns: 200 };
const TAIL = { trustVersion: 0, time: 0 };

function fromServer(encoded: Uint8Array): ServerBody {
  const decoded = decodeServerBody(encoded);
  if (decoded.result !== 'body') throw new Error(`${decoded.result}: ${toHex(encoded)}`);
  return decoded.body;
}
/** As a client reads what a server says. */
const told = <B extends ServerBody>(body: B) => fromServer(encodeServerBody(body)) as B;
const fromClient = (hex: string) => decodeClientBody(padded(bytes(hex), 96));

describe('bodies of clients', () => {
  it('HELLO and HELLO-ACK read as they were written, at all limits', () => {
    fc.assert(
      fc.property(any.hello, (body) => expect(decodeHello(encodeHello(body))).toEqual(body)),
      RUNS,
    );
    fc.assert(
      fc.property(any.ack, (body) => expect(decodeAck(encodeAck(body))).toEqual(body)),
      RUNS,
    );
  });

  it.each(Object.keys(any.client) as ClientBody['type'][])('%s reads as it was written, at all limits', (type) => {
    fc.assert(
      fc.property(any.client[type], any.tail, (body, tail) => {
        const encoded = encodeClientBody(body, tail);
        expect(encoded.length).toBe(96);
        expect(decodeClientBody(encoded)).toEqual({ result: 'body', body, tail });
      }),
      RUNS,
    );
  });

  it('a field at its greatest still fits', () => {
    const max = 10n ** 15n;
    const pay = { type: 'pay', pin: '12345678', amount: max, to: 1n << 63n, memo: 'x'.repeat(60), feeShown: max + 1n } as const;
    expect(decodeClientBody(encodeClientBody(pay, TAIL))).toMatchObject({ body: pay });
    expect(() => encodeClientBody({ ...pay, memo: 'x'.repeat(61) }, TAIL)).toThrow(RangeError);
    expect(() => encodeClientBody({ ...pay, amount: max + 1n }, TAIL)).toThrow(RangeError);
    expect(() => encodeClientBody({ ...pay, feeShown: max + 2n }, TAIL)).toThrow(RangeError);
    expect(() => encodeClientBody({ ...pay, pin: '123' }, TAIL)).toThrow(RangeError);
  });

  it.each([
    ['an amount of 0', '03 00 00000000000003e8 00', 'malformed'],
    ['an amount above 10^15', '03 8080b4ccd4dfc603 00000000000003e8', 'malformed'],
    ['an amount of 10^15 and 1', '03 81809aa6eaafe301 00000000000003e8', 'malformed'],
    ['an amount of 10^15', '03 80809aa6eaafe301 00000000000003e8', 'body'],
    ['a uv that is not as short as can be', '03 8100 00000000000003e8', 'malformed'],
    ['a uv of ten bytes', '03 ffffffffffffffffff01 00000000000003e8', 'malformed'],
    ['a number of 0', '03 01 0000000000000000', 'malformed'],
    ['a number of 16 digits', '03 01 00038d7ea4c68000', 'malformed'],
    ['a number of 15 digits', '03 01 00038d7ea4c67fff', 'body'],
    ['a merchant', '03 01 8000000000000000', 'body'],
    ['a PIN with a letter', '0b 123affff', 'malformed'],
    ['a PIN with a gap', '0b 1234f5ff', 'malformed'],
    ['a PIN of three digits', '0b 123fffff', 'malformed'],
    ['no PIN', '0b ffffffff', 'body'],
    ['a PIN of eight digits', '0b 12345678', 'body'],
    ['an unknown reason', '05 00000001 03', 'malformed'],
    ['an unknown kind of cash', '0f 1234ffff 02 01 00000000000003e8', 'malformed'],
    ['five counters', '0c 05 0001 0002 0003 0004 0005', 'malformed'],
    ['what is left is not zero', '06 01', 'malformed'],
    ['a memo of 61 bytes', `03 01 00000000000003e8 3d ${'61'.repeat(61)}`, 'malformed'],
    ['a memo of half a character', '03 01 00000000000003e8 01 c3', 'malformed'],
    ['a memo of a surrogate', '03 01 00000000000003e8 03 eda080', 'malformed'],
    ['a memo longer than the body', `02 1234ffff 01 00000000000003e8 ff`, 'malformed'],
    ['an unknown type', '7f', 'unknown'],
    ['HELLO inside a session', '00', 'unknown'],
  ])('%s', (_, hex, result) => {
    expect(fromClient(hex.replace(/ /g, ''))).toMatchObject({ result });
  });

  it('any bytes are a body or refused', () => {
    const some = fc.uint8Array({ minLength: 96, maxLength: 96 });
    const likely = fc
      .tuple(fc.nat(0x10), fc.uint8Array({ maxLength: 95 }))
      .map(([code, rest]) => padded(concat(Uint8Array.of(code), rest), 96));
    fc.assert(
      fc.property(fc.oneof(some, likely), (body) => {
        const decoded = decodeClientBody(body);
        // What reads at all was written in the only way there is.
        if (decoded.result === 'body') expect(encodeClientBody(decoded.body, decoded.tail)).toEqual(body);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('bodies of the server', () => {
  /** What is cut to fit. */
  const CUT = new Set<ServerBody['type']>(['receipt', 'approval', 'asked', 'quote', 'notice', 'history_is']);

  it.each(Object.keys(any.server) as ServerBody['type'][])('%s reads as it was written, at all limits', (type) => {
    fc.assert(
      fc.property(any.server[type], (body) => {
        const encoded = encodeServerBody(body);
        expect([SHORT_BYTES, LONG_BYTES]).toContain(encoded.length);
        const read = fromServer(encoded);
        if (!CUT.has(type)) return expect(read).toEqual(body);
        const { label: _, memo: __, text: ___, entries: ____, ...cut } = { label: '', memo: '', text: '', entries: [], ...read };
        expect(body).toMatchObject(cut);
        // Once cut, it fits as it is: no second cut.
        expect(encodeServerBody(read)).toEqual(encoded);
      }),
      RUNS,
    );
  });

  it('a label is cut at a code point so that the short form holds it, never below the four digits', () => {
    fc.assert(
      fc.property(fc.oneof(any.server.receipt, any.server.approval, any.server.asked, any.server.quote), (body) => {
        const { label } = body as ServerBodyOf<'receipt'>;
        const read = told(body) as ServerBodyOf<'receipt'>;
        expect(label.startsWith(read.label)).toBe(true);
        expect(Array.from(read.label).length).toBeGreaterThanOrEqual(Math.min(4, Array.from(label).length));
        const next = Array.from(label.slice(read.label.length))[0];
        const size = encodeServerBody(body).length;
        if (next === undefined) return;
        // One character more had not fitted: then the encoder with that much would cut it again.
        const more = told({ ...body, label: read.label + next } as ServerBody) as ServerBodyOf<'receipt'>;
        if (encodeServerBody({ ...body, label: read.label + next } as ServerBody).length === size)
          expect(more.label).toBe(read.label);
      }),
      RUNS,
    );
  });

  it('an approval with a memo takes two segments, one without takes one where its digits fit', () => {
    const approval: ServerBodyOf<'approval'> = {
      type: 'approval',
      re: 0xffff,
      id: 1,
      amount: 250n,
      minutes: 30,
      payee: 15551230009n,
      label: '0009 Joe Grocer',
      fee: 0n,
      memo: '',
    };
    expect(encodeServerBody(approval).length).toBe(SHORT_BYTES);
    expect(encodeServerBody({ ...approval, memo: 'tea' }).length).toBe(LONG_BYTES);
    expect(told({ ...approval, memo: 'tea' })).toMatchObject({ memo: 'tea', label: '0009 Joe Grocer' });
    expect(encodeServerBody({ ...approval, amount: 10n ** 15n, fee: 10n ** 15n }).length).toBe(LONG_BYTES);
  });

  it("a receipt's memo is what fits", () => {
    const receipt: ServerBodyOf<'receipt'> = {
      type: 'receipt',
      re: 1,
      role: 0,
      tx: 9,
      amount: 250n,
      fee: 5n,
      balance: 9000n,
      time: 1,
      label: '0009 Joe',
      memo: 'lunch today',
    };
    expect(encodeServerBody(receipt).length).toBe(SHORT_BYTES);
    expect(told(receipt)).toEqual({ ...receipt, memo: 'lunch tod' });
    expect(told({ ...receipt, memo: 'lunch to😀' })).toMatchObject({ memo: 'lunch to' });
    expect(told({ ...receipt, amount: 10n ** 15n, fee: 10n ** 15n, balance: 10n ** 15n })).toMatchObject({ memo: 'lunch today' });
  });

  it('a history has as many entries as fit, each label of 8 bytes', () => {
    const entry = { tx: 0xffffffff, role: 1, amount: 10n ** 15n, day: 0xffff, label: 'Counterpart' };
    const history: ServerBodyOf<'history_is'> = {
      type: 'history_is',
      re: 1,
      balance: 10n ** 15n,
      entries: Array.from({ length: 30 }, () => entry),
    };
    expect(told(history).entries).toEqual(Array.from({ length: 5 }, () => ({ ...entry, label: 'Counterp' })));
    const usual = { ...entry, amount: 1250n };
    expect(told({ ...history, balance: 20000n, entries: Array.from({ length: 30 }, () => usual) }).entries).toHaveLength(7);
  });

  it('a notice holds 32 bytes in one segment, 139 in two, and no more', () => {
    const notice = (text: string) => ({ type: 'notice', re: 0xffff, text }) as const;
    expect(encodeServerBody(notice('x'.repeat(32))).length).toBe(SHORT_BYTES);
    expect(encodeServerBody(notice('x'.repeat(33))).length).toBe(LONG_BYTES);
    expect(told(notice(`${'x'.repeat(138)}é`)).text).toBe('x'.repeat(138));
  });

  it('what a body has no room for reads as 0 or empty', () => {
    // Full to its last byte with a label of 15 and a fee.
    const full = bytes('43ffff00012d43cf0f001e000000039eecf0320f4a6f6527732047726f636572696573'.concat('05'));
    expect(full.length).toBe(SHORT_BYTES);
    expect(fromServer(full)).toMatchObject({ fee: 5n, memo: '' });
    // With a label of 16 not even the fee.
    const fuller = bytes('43ffff00012d43cf0f001e000000039eecf032104a6f6527732047726f63657269657321');
    expect(fromServer(fuller)).toMatchObject({ fee: 0n, memo: '', label: "Joe's Groceries!" });
    // But what begins must be whole.
    expect(decodeServerBody(bytes(toHex(fuller).replace('3210', '3211')))).toEqual({ result: 'malformed' });
    // And what a history counts must be there.
    expect(decodeServerBody(concat(bytes('45000001ff'), padded(bytes(''), 31)))).toEqual({ result: 'malformed' });
  });

  it('any bytes are a body or refused', () => {
    const likely = fc.tuple(fc.integer({ min: 0x3f, max: 0x4d }), fc.uint8Array({ maxLength: 35 }));
    fc.assert(
      fc.property(likely, ([code, rest]) => {
        const decoded = decodeServerBody(padded(concat(Uint8Array.of(code), rest), SHORT_BYTES));
        expect(['body', 'malformed', 'unknown']).toContain(decoded.result);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what bodies are made of', () => {
  it('UTF-8 is that of the platform, for any text and any bytes', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const strict = (from: Uint8Array) => {
      try {
        return decoder.decode(from);
      } catch {
        return undefined;
      }
    };
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        expect(utf8(text)).toEqual(new Uint8Array(new TextEncoder().encode(text))),
      ),
    );
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => expect(fromUtf8(utf8(text))).toBe(text)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), (from) => expect(fromUtf8(from)).toBe(strict(from))),
      { numRuns: 3000 },
    );
    for (const hex of [
      'c080',
      'e08080',
      'f0808080',
      'eda080',
      'f4908080',
      'f5808080',
      'ff',
      'c3',
      'e282',
      '80',
      'efbbbf',
      'f48fbfbf',
    ]) {
      expect([hex, fromUtf8(bytes(hex))]).toEqual([hex, strict(bytes(hex))]);
    }
    expect(toHex(utf8('\ud800x'))).toBe('efbfbd78');
    expect(cutText('aé😀', 6)).toBe('aé');
  });

  it('uv is as short as can be, at most 9 bytes', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 63n) - 1n), (value) =>
        expect(readUv(uv(value), 0)).toEqual({ value, length: uv(value).length }),
      ),
    );
    expect(uv((1n << 63n) - 1n).length).toBe(9);
  });
});
