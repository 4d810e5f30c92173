import { filterOf } from './filter.ts';
import { sortOf } from './plan.ts';
import { sumOf } from './update.ts';
import { compare, type Doc, isDoc, UnknownToStore, type Value } from './values.ts';
import { valueAt } from './versions.ts';

/** What the stages of an aggregation make of documents. */
export function aggregated(documents: readonly Doc[], stages: readonly Doc[]): Doc[] {
  return stages.reduce<Doc[]>(
    (input, stage) => {
      const [entry, ...others] = Object.entries(stage);
      if (!entry || others.length > 0) throw new UnknownToStore('a stage that is not one');
      return after(input, ...entry);
    },
    [...documents],
  );
}

function after(input: Doc[], stage: string, operand: Value): Doc[] {
  switch (stage) {
    case '$match': {
      const { matches } = filterOf(documentIn(stage, operand));
      return input.filter((document) => matches(document));
    }
    case '$limit':
      if (typeof operand !== 'number') throw new UnknownToStore('$limit by no number');
      return input.slice(0, operand);
    case '$sort': {
      const fields = sortOf(documentIn(stage, operand)).map(([path, sign]) => ({ parts: path.split('.'), sign }));
      return input.toSorted((one, other) => {
        for (const { parts, sign } of fields) {
          const order = compare(plain(valueAt(one, parts)), plain(valueAt(other, parts))) * sign;
          if (order !== 0) return order;
        }
        return 0;
      });
    }
    case '$group':
      return grouped(input, documentIn(stage, operand));
    default:
      throw new UnknownToStore(`the stage ${stage}`);
  }
}

function grouped(input: readonly Doc[], { _id: by = null, ...fields }: Doc): Doc[] {
  const groups: { id: Value; of: Doc[] }[] = [];
  for (const document of input) {
    const id = valueOf(by, document) ?? null;
    const group = groups.find((each) => compare(each.id, id) === 0);
    if (group) group.of.push(document);
    else groups.push({ id, of: [document] });
  }
  const accumulators = Object.entries(fields).map(([name, accumulator]) => [name, accumulatorOf(accumulator)] as const);
  return groups.map(({ id, of }) =>
    Object.fromEntries([['_id', id], ...accumulators.map(([name, collect]) => [name, collect(of)])]),
  );
}

function accumulatorOf(accumulator: Value): (documents: readonly Doc[]) => Value {
  const [entry, ...others] = isDoc(accumulator) ? Object.entries(accumulator) : [];
  if (!entry || others.length > 0) throw new UnknownToStore('a field of $group that is not one accumulator');
  const [operator, expression] = entry;
  const valuesOf = (documents: readonly Doc[]) => documents.map((document) => valueOf(expression, document));
  const present = (values: (Value | undefined)[]) => values.filter((value) => value !== undefined && value !== null) as Value[];
  const extreme = (sign: number) => (documents: readonly Doc[]) =>
    present(valuesOf(documents)).reduce<Value>(
      (best, value) => (best === null || compare(value, best) * sign > 0 ? value : best),
      null,
    );
  switch (operator) {
    case '$min':
      return extreme(-1);
    case '$max':
      return extreme(1);
    case '$first':
      return (documents) => valuesOf(documents.slice(0, 1))[0] ?? null;
    case '$sum':
      return (documents) =>
        present(valuesOf(documents))
          .filter((value) => typeof value === 'number' || typeof value === 'bigint')
          .reduce<Value>((sum, value) => sumOf(sum, value), 0);
    default:
      throw new UnknownToStore(`the accumulator ${operator}`);
  }
}

/** `'$at'` is a field, a number or null itself. */
function valueOf(expression: Value, document: Doc): Value | undefined {
  if (expression === null || typeof expression === 'number') return expression;
  if (typeof expression !== 'string' || !/^\$[^$]/.test(expression)) throw new UnknownToStore('an expression other than a field');
  const value = valueAt(document, expression.slice(1).split('.'));
  return value === undefined ? undefined : plain(value);
}

function plain(value: Value | undefined): Value {
  if (Array.isArray(value)) throw new UnknownToStore('an aggregation over arrays');
  return value ?? null;
}

function documentIn(stage: string, operand: Value): Doc {
  if (!isDoc(operand)) throw new UnknownToStore(`${stage} of no document`);
  return operand;
}
