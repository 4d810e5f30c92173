import { ascii, concat, fromUtf8, isZero, readUv, toBigInt, toNumber, u16, u32, u64, u8, utf8, uv, UV_MAX } from './bytes.ts';

/**
 * The kinds of fields that bodies are made of (docs/protocol.md, "9. Bodies"). `write` throws RangeError for a value that the field cannot
 * hold: a fault of the caller. `read` never throws: undefined for bytes that break a rule.
 */
export interface Field<T> {
  write(value: T): Uint8Array;
  read(bytes: Uint8Array, at: number): { value: T; length: number } | undefined;
}

/** Amounts are minor units, at most 10¹⁵. */
export const AMOUNT_MAX = 10n ** 15n;
const DIGITS_MAX = 10n ** 15n - 1n;
/** Set in a merchant code, never in a number. */
export const MERCHANT_BIT = 1n << 63n;

function fixed<T>(
  length: number,
  to: (value: T) => Uint8Array,
  from: (bytes: Uint8Array) => T,
  holds: (value: T) => boolean,
): Field<T> {
  return {
    write(value) {
      if (!holds(value)) throw new RangeError(`not a value of this field: ${String(value)}`);
      return to(value);
    },
    read(bytes, at) {
      const own = bytes.slice(at, at + length);
      if (own.length < length) return undefined;
      const value = from(own);
      return holds(value) ? { value, length } : undefined;
    },
  };
}

const isWhole = (max: number) => (value: number) => Number.isInteger(value) && value >= 0 && value <= max;

export const byte = fixed(1, u8, toNumber, isWhole(0xff));
export const short = fixed(2, u16, toNumber, isWhole(0xffff));
/** References, and times as Unix seconds. */
export const long = fixed(4, u32, toNumber, isWhole(0xffffffff));
/** One of 0 … `max`, else the body breaks a rule. */
export const choice = <T extends number>(max: T) => fixed(1, u8, toNumber, isWhole(max));

export const u64Field = fixed(8, u64, toBigInt, (value) => value >= 0n && value < 1n << 64n);
/** A number of 1 to 15 digits. */
export const msisdn = fixed(8, u64, toBigInt, (value) => value > 0n && value <= DIGITS_MAX);
/** Whom a client names: a number, or a merchant code. */
export const party = fixed(8, u64, toBigInt, (value) =>
  (value & MERCHANT_BIT) === 0n ? value > 0n && value <= DIGITS_MAX : value < 1n << 64n,
);

export const bytesOf = (length: number) =>
  fixed<Uint8Array>(
    length,
    (value) => value,
    (value) => value,
    (value) => value.length === length,
  );
/** Two letters of a language, three of a currency. */
export const letters = (length: number) =>
  fixed<string>(
    length,
    ascii,
    (bytes) => String.fromCharCode(...bytes),
    (value) => value.length === length && /^[A-Za-z]*$/.test(value),
  );

function between(min: bigint, max: bigint): Field<bigint> {
  return {
    write(value) {
      if (value < min || value > max) throw new RangeError(`not between ${min} and ${max}: ${value}`);
      return uv(value);
    },
    read(bytes, at) {
      const found = readUv(bytes, at);
      return found && found.value >= min && found.value <= max ? found : undefined;
    },
  };
}

/** What a client wants moved. */
export const amount = between(1n, AMOUNT_MAX);
/** What a server tells: balances, fees. */
export const sum = between(0n, AMOUNT_MAX);
/** The fee that the person saw plus 1; 0: none was shown. */
export const feeShown = between(0n, AMOUNT_MAX + 1n);
export const anyUv = between(0n, UV_MAX);

/** UTF-8 of at most `max` bytes. */
export const str = (max: number): Field<string> => ({
  write(value) {
    const text = utf8(value);
    if (text.length > max) throw new RangeError(`longer than ${max} bytes: ${value}`);
    return concat(u8(text.length), text);
  },
  read(bytes, at) {
    const size = bytes[at];
    if (size === undefined || size > max || at + 1 + size > bytes.length) return undefined;
    const value = fromUtf8(bytes.subarray(at + 1, at + 1 + size));
    return value === undefined ? undefined : { value, length: 1 + size };
  },
});

/** 4 to 8 digits as BCD filled with F; all F, the empty string, is: none given. */
export const pin: Field<string> = {
  write(value) {
    if (!/^(\d{4,8})?$/.test(value)) throw new RangeError('a PIN has 4 to 8 digits');
    const nibbles = Array.from(value.padEnd(8, 'f'), (nibble) => Number.parseInt(nibble, 16));
    return Uint8Array.from({ length: 4 }, (_, i) => ((nibbles[2 * i] ?? 15) << 4) | (nibbles[2 * i + 1] ?? 15));
  },
  read(bytes, at) {
    const own = bytes.slice(at, at + 4);
    if (own.length < 4) return undefined;
    const found = /^(\d{4,8})?f*$/.exec(Array.from(own, (b) => b.toString(16).padStart(2, '0')).join(''));
    return found ? { value: found[1] ?? '', length: 4 } : undefined;
  },
};

/** A count, and as many of them. */
export const list = <T>(item: Field<T>, max: number): Field<T[]> => ({
  write(value) {
    if (value.length > max) throw new RangeError(`more than ${max}`);
    return concat(u8(value.length), ...value.map((each) => item.write(each)));
  },
  read(bytes, at) {
    const count = bytes[at];
    if (count === undefined || count > max) return undefined;
    const value: T[] = [];
    let length = 1;
    for (let i = 0; i < count; i++) {
      const found = item.read(bytes, at + length);
      if (!found) return undefined;
      value.push(found.value);
      length += found.length;
    }
    return { value, length };
  },
});

/** What fields, by their names in the order of the wire, hold. */
export type ValuesOf<F> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** Fields one after the other, as one. */
export const record = <F extends Record<string, unknown>>(fields: F) => sequence(fields, false);
/** The same, of a whole body: what it ends before reads as 0 or empty. */
export const body = <F extends Record<string, unknown>>(fields: F) => sequence(fields, true);

function sequence<F extends Record<string, unknown>>(fields: F, mayEnd: boolean): Field<ValuesOf<F>> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  return {
    write: (value) => concat(...entries.map(([name, field]) => field.write((value as Record<string, unknown>)[name]))),
    read(bytes, at) {
      const value: Record<string, unknown> = {};
      let length = 0;
      for (const [name, field] of entries) {
        const isBeyond = mayEnd && at + length === bytes.length;
        const found = isBeyond ? field.read(ZEROS, 0) : field.read(bytes, at + length);
        if (!found) return undefined;
        value[name] = found.value;
        if (!isBeyond) length += found.length;
      }
      return { value: value as ValuesOf<F>, length };
    },
  };
}

const ZEROS = new Uint8Array(64);

/** The bytes of each of these fields, without the last ones that are zero, since they would read as that. */
export function writeShort(
  fields: Record<string, unknown>,
  value: Record<string, unknown>,
  names = Object.keys(fields),
): Uint8Array[] {
  const pieces = names.map((name) => (fields[name] as Field<unknown>).write(value[name]));
  while (isZero(pieces[pieces.length - 1] ?? u8(1))) pieces.pop();
  return pieces;
}
