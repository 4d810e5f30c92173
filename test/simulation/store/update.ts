import { filterOf } from './filter.ts';
import { compare, copyOf, type Doc, isDoc, isSame, UnknownToStore, type Value } from './values.ts';

/** What the server says of an update that cannot be done: its code, and its words as far as they help. */
export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const BAD_VALUE = 2;
const FAILED_TO_PARSE = 9;
const TYPE_MISMATCH = 14;
const PATH_NOT_VIABLE = 28;
const CONFLICTING_OPERATORS = 40;
const IMMUTABLE_FIELD = 66;

/** What one operator makes of one value; the very same one if it changes nothing. `undefined` is an absent field, before and after. */
type Change = (value: Value | undefined) => Value | undefined;

/** What an update does to one field. */
interface Step {
  path: string;
  parts: readonly string[];
  change: Change;
  /** Of a field that is not there it makes nothing, on the way to it neither. */
  onlyThere: boolean;
  onInsert: boolean;
}

export interface Update {
  /** The document as it is afterwards: another one, or the very same if nothing changed. */
  applyTo(document: Doc, isInsert: boolean): Doc;
}

/** Reads an update of operators. Throws `Refusal` for what the server refuses, whatever it meets. */
export function updateOf(update: Doc): Update {
  const steps: Step[] = [];
  for (const [operator, fields] of Object.entries(update)) {
    if (!isDoc(fields))
      throw new Refusal(FAILED_TO_PARSE, `Modifiers operate on fields but we found type ${typeof fields} instead.`);
    for (const [path, operand] of Object.entries(fields)) {
      const parts = path.split('.');
      if (parts.some((part) => part === '' || part.startsWith('$'))) throw new UnknownToStore(`the path ${path} of an update`);
      const change = changeOf(operator, operand);
      const onlyThere = operator === '$unset' || operator === '$pull';
      steps.push({ path, parts, change, onlyThere, onInsert: operator === '$setOnInsert' });
    }
  }
  refuseConflicts(steps);
  // New fields come in this order, whatever the order of the update (MongoDB manual, "Update Operators Behavior").
  steps.sort((one, other) => compare(one.path, other.path));
  return {
    applyTo: (document, isInsert) => {
      const changed = steps.reduce(
        (before, step) => (step.onInsert && !isInsert ? before : changeAt(before, step, 0)),
        document as Value,
      ) as Doc;
      if (!isInsert && !isSame(changed['_id'] as Value, document['_id'] as Value)) {
        throw new Refusal(IMMUTABLE_FIELD, "Performing an update on the path '_id' would modify the immutable field '_id'");
      }
      return changed;
    },
  };
}

function refuseConflicts(steps: readonly Step[]): void {
  for (const [at, { path }] of steps.entries()) {
    const clash = steps
      .slice(0, at)
      .find((other) => `${path}.`.startsWith(`${other.path}.`) || `${other.path}.`.startsWith(`${path}.`));
    if (clash) {
      throw new Refusal(CONFLICTING_OPERATORS, `Updating the path '${path}' would create a conflict at '${clash.path}'`);
    }
  }
}

const INDEX = /^(0|[1-9]\d*)$/;
/** MongoDB pads an array no further. */
const PADDING_MAX = 1_500_000;

/** A copy of `parent` with one field changed, or the very same. What lies beside the path is shared. */
function changeAt(parent: Value, step: Step, at: number): Value {
  const part = step.parts[at] as string;
  if (Array.isArray(parent)) {
    if (INDEX.test(part) && Number(part) <= PADDING_MAX) return changeElement(parent, Number(part), step, at);
    if (step.onlyThere) return parent;
    throw notViable(step, at, parent);
  }
  if (!isDoc(parent)) {
    if (step.onlyThere) return parent;
    throw notViable(step, at, parent);
  }
  const before = parent[part];
  const after = changedValue(before, step, at);
  if (after === before) return parent;
  if (after === undefined) {
    const { [part]: _, ...rest } = parent;
    return rest;
  }
  return { ...parent, [part]: after };
}

function changeElement(array: readonly Value[], index: number, step: Step, at: number): Value {
  const before = array[index];
  const after = changedValue(before, step, at);
  if (after === before) return array as Value[];
  const changed = [...array];
  while (changed.length < index) changed.push(null);
  // An element that is taken out leaves its place.
  changed[index] = after ?? null;
  return changed;
}

function changedValue(before: Value | undefined, step: Step, at: number): Value | undefined {
  if (at === step.parts.length - 1) {
    const after = step.change(before);
    return before !== undefined && after !== undefined && isSame(before, after) ? before : after;
  }
  if (before !== undefined) return changeAt(before, step, at + 1);
  return step.onlyThere ? undefined : changeAt({}, step, at + 1);
}

function notViable({ parts }: Step, at: number, parent: Value): Refusal {
  const shown = typeof parent === 'bigint' ? String(parent) : JSON.stringify(parent);
  return new Refusal(PATH_NOT_VIABLE, `Cannot create field '${parts[at]}' in element {${parts[at - 1]}: ${shown}}`);
}

function changeOf(operator: string, operand: Value): Change {
  switch (operator) {
    case '$set':
    case '$setOnInsert':
      return () => copyOf(operand);
    case '$unset':
      return () => undefined;
    case '$inc':
      return (value) => sumOf(value, operand);
    case '$min':
      return (value) => (value === undefined || compare(operand, value) < 0 ? copyOf(operand) : value);
    case '$max':
      return (value) => (value === undefined || compare(operand, value) > 0 ? copyOf(operand) : value);
    case '$push':
      refuseModifiers(operator, operand);
      return (value) => [...arrayIn(operator, value), copyOf(operand)];
    case '$addToSet':
      refuseModifiers(operator, operand);
      return (value) => {
        const array = arrayIn(operator, value);
        return value !== undefined && array.some((each) => compare(each, operand) === 0) ? value : [...array, copyOf(operand)];
      };
    case '$pull': {
      if (isDoc(operand) && !Object.keys(operand).every((name) => name.startsWith('$')))
        throw new UnknownToStore('$pull by fields');
      const { matches } = filterOf({ element: operand });
      return (value) => {
        if (value === undefined) return undefined;
        const array = arrayIn(operator, value);
        return array.some((element) => matches({ element })) ? array.filter((element) => !matches({ element })) : value;
      };
    }
    default:
      throw new UnknownToStore(`the update ${operator}`);
  }
}

function refuseModifiers(operator: string, operand: Value): void {
  if (isDoc(operand) && Object.keys(operand).some((name) => name.startsWith('$'))) {
    throw new UnknownToStore(`${Object.keys(operand).join(', ')} in ${operator}`);
  }
}

function arrayIn(operator: string, value: Value | undefined): readonly Value[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new Refusal(BAD_VALUE, `The field must be an array but is of type ${typeof value} for ${operator}`);
}

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);
const isInt32 = (value: number) => Number.isInteger(value) && value <= INT32_MAX && value >= INT32_MIN && !Object.is(value, -0);

/** An int and an int is an int, or a long where it does not fit; with a long a long, with a double a double. */
export function sumOf(value: Value | undefined, operand: Value): Value {
  if (typeof operand !== 'number' && typeof operand !== 'bigint') {
    throw new Refusal(TYPE_MISMATCH, 'Cannot increment with non-numeric argument');
  }
  if (value === undefined) return operand;
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    throw new Refusal(TYPE_MISMATCH, `Cannot apply $inc to a value of non-numeric type ${typeof value}`);
  }
  const isWhole = (one: number | bigint) => typeof one === 'bigint' || isInt32(one);
  if (!isWhole(value) || !isWhole(operand)) return Number(value) + Number(operand);
  const sum = BigInt(value) + BigInt(operand);
  if (typeof value === 'number' && typeof operand === 'number' && isInt32(Number(sum))) return Number(sum);
  if (sum !== BigInt.asIntN(64, sum)) throw new Refusal(BAD_VALUE, 'Failed to apply $inc operations to current value');
  return sum;
}
