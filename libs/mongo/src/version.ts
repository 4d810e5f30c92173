import type { Model, UpdateQuery } from 'mongoose';
import { isDuplicateKey } from './errors.ts';
import type { Identified } from './insert.ts';

/** A document that is changed as a whole, by whoever read the newest version of it. */
export interface Versioned extends Identified {
  version: number;
}

/**
 * Stores a document over the version that it was made of; 0: where nothing is stored. What it lacks by `undefined` is taken away. False if another
 * version was stored meanwhile: then read again and decide again.
 */
export async function storeOver<T extends Versioned>(
  model: Model<T>,
  version: number,
  { _id, ...document }: T,
): Promise<boolean> {
  const fields = Object.entries(document);
  const set = Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  if (version > 0) {
    const gone = fields.filter(([, value]) => value === undefined).map(([name]) => [name, 1] as const);
    const change = { $set: set, ...(gone.length > 0 ? { $unset: Object.fromEntries(gone) } : {}) };
    const { modifiedCount } = await model.updateOne({ _id, version }, change as UpdateQuery<T>);
    return modifiedCount === 1;
  }
  try {
    await model.insertOne({ _id, ...set } as never);
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}
