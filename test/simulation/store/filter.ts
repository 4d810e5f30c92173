import { compare, type Doc, isDoc, rankOf, UnknownToStore, type Value } from './values.ts';

/** One end of a range. */
export interface Bound {
  value: Value;
  inclusive: boolean;
}

/** What a filter asks of one field in any case: by it an index is chosen. It may let more through than the filter does. */
export interface Constraint {
  /** It is one of these; `null` stands for absent too. */
  points?: Value[];
  above?: Bound;
  below?: Bound;
  /** It is there. */
  exists?: boolean;
}

export interface Filter {
  matches(document: Doc): boolean;
  /** By path. */
  constraints: ReadonlyMap<string, Constraint>;
  /** Of one of which each match is. */
  branches?: readonly Filter[];
  isEmpty: boolean;
}

type Test = (document: Doc) => boolean;
/** Asks one value; `undefined` where there is none. */
type Leaf = (value: Value | undefined) => boolean;

/** Reads a filter as MongoDB does. */
export function filterOf(filter: Doc): Filter {
  const tests: Test[] = [];
  const constraints = new Map<string, Constraint>();
  let branches: readonly Filter[] | undefined;
  for (const [name, operand] of Object.entries(filter)) {
    if (name === '$and') {
      for (const part of filtersIn(name, operand)) {
        tests.push(part.matches);
        for (const [path, constraint] of part.constraints) constrain(constraints, path, constraint);
        branches ??= part.branches;
      }
    } else if (name === '$or') {
      const parts = filtersIn(name, operand);
      tests.push((document) => parts.some((part) => part.matches(document)));
      branches ??= parts;
    } else if (name.startsWith('$')) {
      throw new UnknownToStore(`the filter ${name}`);
    } else {
      tests.push(fieldTest(name, operand, constraints));
    }
  }
  return {
    matches: tests.length === 1 && tests[0] ? tests[0] : (document) => tests.every((test) => test(document)),
    constraints,
    ...(branches ? { branches } : {}),
    isEmpty: tests.length === 0,
  };
}

function filtersIn(name: string, operand: Value): Filter[] {
  if (!Array.isArray(operand) || operand.length === 0 || !operand.every(isDoc))
    throw new UnknownToStore(`${name} of no documents`);
  return operand.map((part) => filterOf(part));
}

/** `{ $gt: 5 }`, as against a document that is meant as a value. */
export const isOperators = (operand: Value): operand is Doc =>
  isDoc(operand) && Object.keys(operand).some((name) => name.startsWith('$'));

function fieldTest(path: string, operand: Value, constraints: Map<string, Constraint>): Test {
  const parts = path.split('.');
  if (!isOperators(operand)) return operatorTest(path, parts, '$eq', operand, constraints);
  const tests = Object.entries(operand).map(([operator, value]) => operatorTest(path, parts, operator, value, constraints));
  return tests.length === 1 && tests[0] ? tests[0] : (document) => tests.every((test) => test(document));
}

function operatorTest(
  path: string,
  parts: readonly string[],
  operator: string,
  operand: Value,
  constraints: Map<string, Constraint>,
): Test {
  const any =
    (leaf: Leaf): Test =>
    (document) =>
      anyAt(document, parts, 0, leaf);
  const none =
    (leaf: Leaf): Test =>
    (document) =>
      !anyAt(document, parts, 0, leaf);
  switch (operator) {
    case '$eq':
      constrain(constraints, path, { points: [operand] });
      return any(equals(operand));
    case '$in': {
      const values = listOf(operator, operand);
      constrain(constraints, path, { points: values });
      return any(isAmong(values));
    }
    case '$gt':
    case '$gte':
      if (operand !== null) constrain(constraints, path, { above: { value: operand, inclusive: operator === '$gte' } });
      return any(isBeyond(operand, 1, operator === '$gte'));
    case '$lt':
    case '$lte':
      if (operand !== null) constrain(constraints, path, { below: { value: operand, inclusive: operator === '$lte' } });
      return any(isBeyond(operand, -1, operator === '$lte'));
    case '$ne':
      return none(equals(operand));
    case '$nin':
      return none(isAmong(listOf(operator, operand)));
    case '$exists':
      if (typeof operand !== 'boolean') throw new UnknownToStore(`$exists of ${typeof operand}`);
      constrain(constraints, path, operand ? { exists: true } : { points: [null] });
      return operand ? any((value) => value !== undefined) : none((value) => value !== undefined);
    case '$not': {
      if (!isOperators(operand)) throw new UnknownToStore('$not of no operators');
      const test = fieldTest(path, operand, new Map());
      return (document) => !test(document);
    }
    default:
      throw new UnknownToStore(`the operator ${operator}`);
  }
}

function listOf(operator: string, operand: Value): Value[] {
  if (!Array.isArray(operand)) throw new UnknownToStore(`${operator} of no array`);
  if (operand.some(isOperators)) throw new UnknownToStore(`operators in ${operator}`);
  return operand;
}

/** Of two that say the same about a field the first is as good as the second: what an index finds is asked by the filter all the same. */
function constrain(constraints: Map<string, Constraint>, path: string, constraint: Constraint): void {
  constraints.set(path, { ...constraint, ...constraints.get(path) });
}

function equals(operand: Value): Leaf {
  if (operand === null) return (value) => value === undefined || value === null;
  if ((isDoc(operand) || Array.isArray(operand)) && Object.values(operand).some(isOperators)) {
    throw new UnknownToStore('operators inside a value');
  }
  return (value) => value !== undefined && compare(value, operand) === 0;
}

function isAmong(values: readonly Value[]): Leaf {
  const leaves = values.map((value) => equals(value));
  return (value) => leaves.some((leaf) => leaf(value));
}

/** Only values of the same type are above or below; NaN is neither, and null as good as absent. */
function isBeyond(operand: Value, sign: 1 | -1, inclusive: boolean): Leaf {
  if (operand === null) return (value) => inclusive && (value === undefined || value === null);
  const rank = rankOf(operand);
  const isNumber = rank === 2;
  return (value) => {
    if (value === undefined || rankOf(value) !== rank) return false;
    const order = compare(value, operand) * sign;
    if (order === 0) return inclusive;
    return order > 0 && !(isNumber && (Number.isNaN(value) || Number.isNaN(operand)));
  };
}

const INDEX = /^(0|[1-9]\d*)$/;

/**
 * True if the leaf says so of a value at the path. Arrays on the way are gone through, by index where the path names one; of an array at its
 * end each element is asked, and the array as a whole (MongoDB manual, "Query an Array").
 */
function anyAt(document: Doc, parts: readonly string[], at: number, leaf: Leaf): boolean {
  const value = document[parts[at] as string];
  if (at === parts.length - 1) return anyOf(value, leaf);
  if (Array.isArray(value)) return anyIn(value, parts, at + 1, leaf);
  return value !== undefined && isDoc(value) ? anyAt(value, parts, at + 1, leaf) : leaf(undefined);
}

const anyOf = (value: Value | undefined, leaf: Leaf) => (Array.isArray(value) && value.some((each) => leaf(each))) || leaf(value);

function anyIn(values: readonly Value[], parts: readonly string[], at: number, leaf: Leaf): boolean {
  const part = parts[at] as string;
  const index = INDEX.test(part) ? Number(part) : undefined;
  const documents = values.filter(isDoc);
  if (index !== undefined && documents.length > 0) throw new UnknownToStore('an index into an array of documents');
  if (documents.length > 0) return documents.some((value) => anyAt(value, parts, at, leaf));
  const value = index !== undefined && at === parts.length - 1 ? values[index] : undefined;
  if (value !== undefined) return leaf(value);
  // Servers are not of one mind.
  if (leaf(undefined)) throw new UnknownToStore(`null within an array: ${parts.join('.')}`);
  return false;
}
