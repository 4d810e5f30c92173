import { claimOf, type Driven, type FirstTry, type Redrive } from '#libs/redrive';
import { traceparent } from '#libs/runtime';
import type { Model, UpdateQuery } from 'mongoose';

/** What is driven until its people are told what came of it. Changed only by version. */
export interface Untold extends Driven {
  version: number;
  /** What they have not been told yet, stored with the change that it tells. */
  untold: string[];
}

/** A change of what was read. */
export interface Change<T extends Untold> {
  changes: Partial<T>;
  /** On top of what is untold already. */
  untold: T['untold'];
  /** Fields that it has no more. */
  gone: Partial<Record<keyof T, 1>>;
  /** It is driven behind what is being answered, and not at once. */
  later: boolean;
}

/** Stores a change over the version that was read, and drives what came of it. Undefined if another version was stored meanwhile. */
export async function storeUntold<T extends Untold>(
  model: Model<T>,
  redrive: Redrive<T>,
  read: T,
  { changes, untold, gone, later }: Change<T>,
  stored: () => void,
): Promise<T | undefined> {
  const { _id, version } = read;
  const next = {
    ...changes,
    untold: [...new Set([...read.untold, ...untold])],
    version: version + 1,
    // It goes on in the trace of the SMS that caused it.
    traceparent: traceparent(),
    tries: 0,
    waits: 0,
  };
  let changed: T | undefined;
  const store = async (first: FirstTry) => {
    const { modifiedCount } = await model.updateOne({ _id, version }, {
      $set: { ...next, ...first },
      $unset: { ...gone, ...(first.claim ? {} : { claim: 1 }), failingSince: 1 },
    } as UpdateQuery<T>);
    stored();
    changed = modifiedCount === 1 ? { ...read, ...next, ...first } : undefined;
    return changed;
  };
  if (later) await store(redrive.later());
  else await redrive.begin(store);
  return changed;
}

/** Nothing is untold any more, if nothing changed meanwhile. It is driven again at `dueAt`; never if that is absent. */
export async function markTold<T extends Untold>(model: Model<T>, told: T, dueAt?: Date): Promise<void> {
  await model.updateOne({ ...claimOf(told), version: told.version }, {
    $set: { untold: [], version: told.version + 1, tries: 0, waits: 0, ...(dueAt ? { nextTryAt: dueAt } : {}) },
    $unset: { claim: 1, failingSince: 1, ...(dueAt ? {} : { nextTryAt: 1 }) },
  } as UpdateQuery<T>);
}
