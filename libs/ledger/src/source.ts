import { chainOf, compareChains, type PostedTransfer, type Side, SIDES, type TransferDocument } from './transfer.ts';
import type { LedgerSource, Leg } from './verify.ts';

/** What is needed of a MongoDB collection, so that this library needs no driver. */
interface Collection {
  find(filter: object, options: object): { toArray(): Promise<object[]> };
}

/** How many documents are read at once; of each side one such page is in memory. */
const PAGE = 1_000;

/** The fields of an index, each ascending. */
type Index = readonly string[];
type Value = string | number | bigint;
/** The values of an index's first fields. */
type Prefix = Readonly<Record<string, Value>>;
/** What one field may be, as MongoDB writes it. */
type Range = Readonly<{ $gt?: Value; $gte?: Value; $lt?: Value }>;

const BY_ID: Index = ['_id'];
/** The index of each side's chains. */
const INDEXES: Record<Side, Index> = {
  debit: ['debit.account', 'debit.seq'],
  credit: ['credit.account', 'credit.lane', 'credit.seq'],
  fee: ['fee.account', 'fee.lane', 'fee.seq'],
};

/**
 * The ledger in a collection, to be walked by `verify` along its indexes. Each page is a query of its own for a range of an index: a walk
 * takes hours, one side waits meanwhile for another, and a cursor that waits for ten minutes is closed by the database. Throws the
 * database's error if an index is missing. `page` must be at least 2.
 */
export function ledgerSource(transfers: Collection, page = PAGE): LedgerSource {
  /**
   * A page of what an index has below a prefix, its next field within a range. It may end within the documents that have one value there:
   * they are left out, and `end` is that value; if they fill it, it has none. Without an `end` it is the last page.
   */
  const read = async <D extends TransferDocument>(index: Index, prefix: Prefix, range?: Range): Promise<Page<D>> => {
    const field = fieldAfter(index, prefix);
    const order = Object.fromEntries(index.map((each) => [each, 1]));
    const documents = (await transfers
      // Without the hint a missing index would be no error, and each page would sort the whole ledger.
      .find({ ...prefix, ...(range && { [field]: range }) }, { sort: order, hint: order, limit: page, batchSize: page })
      .toArray()) as D[];
    const last = documents.length < page ? undefined : documents.at(-1);
    if (!last) return { documents };
    const end = placeOf(last, field);
    return { documents: documents.filter((each) => valueOf(each, field) !== end), end };
  };

  /** All that an index has below a prefix, its next field within a range: each document once, even where the index is not unique. */
  async function* walk<D extends TransferDocument>(index: Index, prefix: Prefix = {}, range?: Range): AsyncGenerator<D> {
    for (let left = range; ;) {
      const { documents, end } = await read<D>(index, prefix, left);
      yield* documents;
      if (end === undefined) return;
      // More than a page have this value: they are read by the fields after it.
      if (documents.length === 0) yield* walk<D>(index, { ...prefix, [fieldAfter(index, prefix)]: end });
      left = { ...rest(documents, end), ...(range?.$lt !== undefined && { $lt: range.$lt }) };
    }
  }

  const walkSide = (side: Side, prefix: Prefix, range?: Range) =>
    legsOf(side, walk<PostedTransfer>(INDEXES[side], prefix, range));

  return {
    async *byId() {
      // A range holds values of one type. Of another there is no id; if there is one, `verify` is to see it.
      yield* (await transfers
        .find({ _id: { $not: { $gte: '' } } }, { hint: { _id: 1 }, limit: page })
        .toArray()) as TransferDocument[];
      yield* walk(BY_ID, {}, { $gte: '' });
    },
    async *byAccount() {
      // Any account is above the empty text.
      for (let left: Range = { $gt: '' }; ;) {
        // A page of debits first, and only then what else their accounts, and those between them, have.
        const { documents, end } = await read<PostedTransfer>(INDEXES.debit, {}, left);
        const range = { ...left, ...(end !== undefined && { $lt: end }) };
        yield* merged([legsOf('debit', documents), walkSide('credit', {}, range), walkSide('fee', {}, range)]);
        if (end === undefined) return;
        if (documents.length === 0) for (const side of SIDES) yield* walkSide(side, { [`${side}.account`]: end });
        left = rest(documents, end);
      }
    },
  };
}

/** A ledger in memory, to be walked by `verify`. */
export function ledgerOf(documents: readonly TransferDocument[]): LedgerSource {
  const posted = documents.filter((document) => document.kind !== 'refused');
  return {
    async *byId() {
      yield* documents.toSorted((one, other) => (one._id < other._id ? -1 : 1));
    },
    async *byAccount() {
      const legs = SIDES.flatMap((side) =>
        posted.flatMap((transfer) => {
          const chain = chainOf(side, transfer);
          return chain ? [{ chain, seq: transfer[side]?.seq ?? 0, leg: { side, transfer } }] : [];
        }),
      );
      for (const { leg } of legs.sort((one, other) => compareChains(one.chain, other.chain) || one.seq - other.seq)) yield leg;
    },
  };
}

interface Page<D> {
  documents: D[];
  end?: Value;
}

/** What is left after a page. */
function rest(documents: readonly unknown[], end: Value): Range {
  return documents.length > 0 ? { $gte: end } : { $gt: end };
}

/** The field of an index after those of a prefix. */
function fieldAfter(index: Index, prefix: Prefix): string {
  const field = index[Object.keys(prefix).length];
  if (!field)
    throw new Error(
      `the index of ${index.join(', ')} is not unique: too many documents have ${Object.values(prefix).join(', ')}`,
    );
  return field;
}

function valueOf(document: object, field: string): unknown {
  return field.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document);
}

/** A value from which the walk can go on. Each place in the ledger is text or a number. */
function placeOf(document: TransferDocument, field: string): Value {
  const value = valueOf(document, field);
  if (typeof value === 'string' || typeof value === 'bigint' || (typeof value === 'number' && !Number.isNaN(value))) return value;
  throw new Error(`${String(document._id)}: ${field} cannot be ${String(value)}`);
}

/** The legs that transfers have on one side. */
async function* legsOf(side: Side, transfers: Iterable<PostedTransfer> | AsyncIterable<PostedTransfer>): AsyncGenerator<Leg> {
  for await (const transfer of transfers) yield { side, transfer };
}

/** Several walks, each in the order of accounts, as one; of an account first what the first of them has. */
async function* merged(walks: readonly AsyncIterator<Leg>[]): AsyncGenerator<Leg> {
  const readers = await Promise.all(walks.map(async (walk) => ({ walk, next: await walk.next() })));
  for (;;) {
    const reader = readers.reduce((least, each) => (comesBefore(each.next, least.next) ? each : least));
    if (reader.next.done) return;
    yield reader.next.value;
    reader.next = await reader.walk.next();
  }
}

function comesBefore(one: IteratorResult<Leg>, other: IteratorResult<Leg>): boolean {
  const accountOf = ({ side, transfer }: Leg) => transfer[side]?.account ?? '';
  return !one.done && (other.done === true || accountOf(one.value) < accountOf(other.value));
}
