import type { Bound, Constraint, Filter } from './filter.ts';
import { compare, rankOf, UnknownToStore, type Value } from './values.ts';
import type { Index, Range } from './versions.ts';

/** `[['at', 1], ['_id', 1]]` */
export type Sort = readonly (readonly [string, 1 | -1])[];

/** Reads `{ at: 1, _id: 1 }`. */
export function sortOf(sort: object): Sort {
  return Object.entries(sort).map(([path, sign]: [string, unknown]) => {
    if (sign !== 1 && sign !== -1) throw new UnknownToStore(`the order ${String(sign)} of ${path}`);
    return [path, sign] as const;
  });
}

/** How a query finds its documents: along an index, or along several, one after the other. */
export interface Plan {
  scans: readonly Scan[];
  isBackwards: boolean;
  /** The documents come in the order that was asked for. */
  isSorted: boolean;
  /** A declared index leads to the documents and their order, or all of them were asked for. */
  isServed: boolean;
}

export interface Scan {
  index: Index;
  /** In the order of the index. */
  ranges: readonly Range[];
}

interface Candidate extends Scan {
  worth: number;
  isSorted: boolean;
  isBackwards: boolean;
  narrows: boolean;
}

const POINT = 10;
const RANGE = 5;
const ORDER = 3;
const ALL_OF_SPARSE = 1;

/** Chooses among the indexes of a collection; `natural` has all documents in the order of their coming. */
export function planOf(filter: Filter, sort: Sort, indexes: readonly Index[], natural: Index): Plan {
  const best = bestOf(filter.constraints, sort, indexes);
  if (best?.narrows) return { ...alone(best), isServed: best.isSorted };
  const branches = filter.branches?.map((branch) => bestOf(merged(filter.constraints, branch.constraints), [], indexes));
  if (branches?.every((branch) => branch?.narrows)) {
    const isSorted = sort.length === 0;
    return { scans: branches as Candidate[], isBackwards: false, isSorted, isServed: isSorted };
  }
  if (best?.isSorted) return { ...alone(best), isServed: filter.isEmpty };
  const all = { index: natural, ranges: [EVERYTHING] };
  const isSorted = sort.length === 0;
  return { scans: [all], isBackwards: false, isSorted, isServed: filter.isEmpty && isSorted };
}

const alone = ({ index, ranges, isSorted, isBackwards }: Candidate) => ({ scans: [{ index, ranges }], isSorted, isBackwards });

const EVERYTHING: Range = { place: () => 0 };

const merged = (some: ReadonlyMap<string, Constraint>, more: ReadonlyMap<string, Constraint>) => {
  const all = new Map(more);
  for (const [path, constraint] of some) all.set(path, { ...constraint, ...more.get(path) });
  return all;
};

function bestOf(constraints: ReadonlyMap<string, Constraint>, sort: Sort, indexes: readonly Index[]): Candidate | undefined {
  let best: Candidate | undefined;
  for (const index of indexes) {
    const candidate = candidateOf(index, constraints, sort);
    if (candidate && candidate.worth > (best?.worth ?? 0)) best = candidate;
  }
  return best;
}

/** What an index is good for; nothing if it could pass over a document that the filter wants. */
function candidateOf(index: Index, constraints: ReadonlyMap<string, Constraint>, sort: Sort): Candidate | undefined {
  const isThere = index.fields.some(({ path }) => impliesExistence(constraints.get(path)));
  if (index.spec.sparse && !isThere) return undefined;

  const points: Value[][] = [];
  let range: Constraint | undefined;
  for (const { path } of index.fields) {
    const constraint = constraints.get(path);
    if (constraint?.points) {
      points.push(constraint.points);
      continue;
    }
    if (constraint?.above || constraint?.below) range = constraint;
    break;
  }
  const order = orderOf(index, constraints, sort);
  const narrows = points.length > 0 || range !== undefined || (index.spec.sparse && isThere);
  if (!narrows && !(order && sort.length > 0)) return undefined;
  const worth =
    points.length * POINT + (range ? RANGE : 0) + (order && sort.length > 0 ? ORDER : 0) + (narrows ? ALL_OF_SPARSE : 0);
  return {
    index,
    ranges: rangesOf(index, points, range),
    worth,
    narrows,
    isSorted: sort.length === 0 || order !== undefined,
    isBackwards: order === 'backwards',
  };
}

function impliesExistence(constraint: Constraint | undefined): boolean {
  if (!constraint) return false;
  const { points, above, below, exists } = constraint;
  return exists === true || above !== undefined || below !== undefined || (points !== undefined && !points.includes(null));
}

/** Whether walking the index gives the order that is asked for. A field of which only one value comes needs no order. */
function orderOf(index: Index, constraints: ReadonlyMap<string, Constraint>, sort: Sort): 'forwards' | 'backwards' | undefined {
  const isOne = (path: string) => constraints.get(path)?.points?.length === 1;
  const asked = sort.filter(([path]) => !isOne(path));
  let backwards: boolean | undefined;
  let at = 0;
  for (const { path, sign } of index.fields) {
    const next = asked[at];
    if (!next) break;
    if (next[0] === path) {
      const isBackwards = next[1] !== sign;
      if (backwards !== undefined && backwards !== isBackwards) return undefined;
      backwards = isBackwards;
      at++;
    } else if (!isOne(path)) {
      return undefined;
    }
  }
  if (at < asked.length) return undefined;
  return backwards ? 'backwards' : 'forwards';
}

function rangesOf(index: Index, points: readonly Value[][], last: Constraint | undefined): Range[] {
  let prefixes: Value[][] = [[]];
  for (const [at, values] of points.entries()) {
    const { sign } = index.fields[at] as { sign: 1 | -1 };
    const inOrder = [...values].sort((one, other) => compare(one, other) * sign);
    const distinct = inOrder.filter((value, place) => place === 0 || compare(value, inOrder[place - 1] as Value) !== 0);
    prefixes = prefixes.flatMap((prefix) => distinct.map((value) => prefix.concat([value])));
  }
  const lastSign = index.fields[points.length]?.sign ?? 1;
  return prefixes.map((prefix) => ({
    place: (key) => {
      for (const [at, value] of prefix.entries()) {
        const order = compare(key[at] as Value, value);
        if (order !== 0) return order * (index.fields[at] as { sign: 1 | -1 }).sign;
      }
      return last ? placeBetween(key[prefix.length] as Value, last) * lastSign : 0;
    },
  }));
}

/** Below, among or above the values of the same type between two bounds. */
function placeBetween(value: Value, { above, below }: Constraint): number {
  const rank = rankOf(((above ?? below) as Bound).value);
  const order = rankOf(value) - rank;
  if (order !== 0) return order;
  if (above) {
    const place = compare(value, above.value);
    if (place < 0 || (place === 0 && !above.inclusive)) return -1;
  }
  if (below) {
    const place = compare(value, below.value);
    if (place > 0 || (place === 0 && !below.inclusive)) return 1;
  }
  return 0;
}
