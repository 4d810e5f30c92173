import { mongo } from 'mongoose';

/** What the store can hold: the types that smspay stores. Any other is refused, loudly. */
export type Value = null | boolean | number | bigint | string | Date | Value[] | Doc;
export interface Doc {
  [field: string]: Value;
}

/** What the code asked for and the simulation does not have: a mistake in it, or work to be done on the store. */
export class UnknownToStore extends Error {
  constructor(what: string) {
    super(`the simulated store does not know ${what}`);
  }
}

export const isDoc = (value: unknown): value is Doc =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** The place of a value's type in the order of BSON types. Values compare only within one of them. */
export function rankOf(value: Value): number {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return 2;
    case 'string':
      return 3;
    case 'boolean':
      return 8;
    default:
      if (value === null) return 1;
      if (value instanceof Date) return 9;
      return Array.isArray(value) ? 5 : 4;
  }
}

/** The order of BSON values (MongoDB manual, "Comparison/Sort Order"): negative, zero or positive. */
export function compare(one: Value, other: Value): number {
  if (typeof one === 'string' && typeof other === 'string') return compareStrings(one, other);
  const rank = rankOf(one);
  const otherRank = rankOf(other);
  if (rank !== otherRank) return rank - otherRank;
  switch (rank) {
    case 2:
      return compareNumbers(one as number, other as number);
    case 4:
      return compareDocs(one as Doc, other as Doc);
    case 5:
      return compareArrays(one as Value[], other as Value[]);
    case 8:
      return Number(one) - Number(other);
    case 9:
      return (one as Date).getTime() - (other as Date).getTime();
    default:
      return 0;
  }
}

/** As their UTF-8 bytes: UTF-16 has the characters beyond U+FFFF before some of those below it. */
function compareStrings(one: string, other: string): number {
  if (one === other) return 0;
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const unit = one.charCodeAt(at);
    const otherUnit = other.charCodeAt(at);
    if (unit !== otherUnit) return byteOrder(unit) - byteOrder(otherUnit);
  }
  return one.length - other.length;
}

const byteOrder = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

/** Of any two numeric types, by value; NaN is below all. */
function compareNumbers(one: number | bigint, other: number | bigint): number {
  if (one < other) return -1;
  if (one > other) return 1;
  // oxlint-disable-next-line eqeqeq -- 1n and 1 are the same number
  return one == other ? 0 : Number(Number.isNaN(other)) - Number(Number.isNaN(one));
}

function compareArrays(one: readonly Value[], other: readonly Value[]): number {
  for (const [at, value] of one.entries()) {
    const opposite = other[at];
    if (opposite === undefined) return 1;
    const order = compare(value, opposite);
    if (order !== 0) return order;
  }
  return one.length - other.length;
}

/** Field by field as they stand: the types, then the names, then the values. */
function compareDocs(one: Doc, other: Doc): number {
  const others = Object.entries(other);
  const fields = Object.entries(one);
  for (const [at, [name, value]] of fields.entries()) {
    const opposite = others[at];
    if (!opposite) return 1;
    const order = rankOf(value) - rankOf(opposite[1]) || compareStrings(name, opposite[0]) || compare(value, opposite[1]);
    if (order !== 0) return order;
  }
  return fields.length - others.length;
}

/** True for the same bytes: 5 and 5n are two values, and so are documents whose fields stand in another order. */
export function isSame(one: Value, other: Value): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return Object.is(one, other);
  if (one instanceof Date || other instanceof Date) {
    return one instanceof Date && other instanceof Date && one.getTime() === other.getTime();
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((value, at) => isSame(value, other[at] as Value));
  }
  const names = Object.keys(one);
  const otherNames = Object.keys(other);
  return (
    names.length === otherNames.length &&
    names.every((name, at) => name === otherNames[at] && isSame(one[name] as Value, other[name] as Value))
  );
}

/** Another one with the same content. */
export function copyOf<T extends Value>(value: T): T;
export function copyOf(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return new Date(value.getTime());
  if (Array.isArray(value)) return value.map((each) => copyOf(each));
  const copy: Doc = {};
  for (const name in value) copy[name] = copyOf(value[name] as Value);
  return copy;
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** What only BSON itself can tell. */
const UNSURE = Symbol('unsure');

/**
 * What a document is after its way to the server and back, as the driver with `useBigInt64` has it: `undefined` has become `null`, a lone
 * surrogate U+FFFD, a 64-bit integer a `bigint`. Shares nothing with it.
 */
export function overTheWire(document: object): Doc {
  const quick = quickly(document);
  if (quick !== UNSURE && isDoc(quick)) return quick;
  const returned = mongo.BSON.deserialize(mongo.BSON.serialize(document, { ignoreUndefined: false }), { useBigInt64: true });
  const known = quickly(returned);
  if (known === UNSURE || !isDoc(known)) throw new UnknownToStore(`a type of BSON in ${mongo.BSON.EJSON.stringify(document)}`);
  return known;
}

/** The same without the detour through bytes, which takes ten times as long; `values.spec.ts` holds the two together. */
function quickly(value: unknown): Value | typeof UNSURE {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : UNSURE;
    case 'number':
    case 'boolean':
      return value;
    case 'bigint':
      return value >= INT64_MIN && value <= INT64_MAX ? value : UNSURE;
    case 'undefined':
      return null;
    case 'object':
      if (value === null) return null;
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? UNSURE : new Date(value.getTime());
      return Array.isArray(value) ? quicklyAll(value) : quicklyEach(value);
    default:
      return UNSURE;
  }
}

function quicklyAll(values: readonly unknown[]): Value[] | typeof UNSURE {
  // A mongoose array.
  if (Object.getPrototypeOf(values) !== Array.prototype) return UNSURE;
  const converted: Value[] = [];
  for (const each of values) {
    const value = quickly(each);
    if (value === UNSURE) return UNSURE;
    converted.push(value);
  }
  return converted;
}

function quicklyEach(document: object): Doc | typeof UNSURE {
  const prototype: unknown = Object.getPrototypeOf(document);
  if ((prototype !== Object.prototype && prototype !== null) || 'toBSON' in document) return UNSURE;
  const converted: Doc = {};
  for (const name of Object.keys(document)) {
    const value = quickly(document[name as never]);
    if (value === UNSURE || name === '__proto__' || name.includes('\0')) return UNSURE;
    converted[name] = value;
  }
  return converted;
}
