import type { Host } from '#libs/runtime';
import type { Model } from 'mongoose';
import { isDuplicateKey } from './errors.ts';

const TRIES_MAX = 3;
const LOOKS_MAX = 5;
const PAUSE_MS = 20;

/** A document of one of our collections: its id is from outside or derived, so an insert is safe to repeat. */
export interface Identified {
  _id: string;
}

/**
 * Inserts under the id; whoever comes second gets the document of the first. Every error but a bare duplicate key is ambiguous: the insert is
 * tried again, and a document that was there after all is found as a duplicate. Throws `OtherIndexTaken` if another unique index refused it.
 */
export async function insertOrRead<T extends Identified>(
  model: Model<T>,
  document: T,
  host: Host,
): Promise<{ inserted: boolean; stored: T }> {
  for (let tries = 1; ; tries++) {
    try {
      await model.insertOne(document as never);
      return { inserted: true, stored: document };
    } catch (error) {
      if (isDuplicateKey(error)) return { inserted: false, stored: await readDuplicate(model, document._id, error, host) };
      // A document that its schema refuses was never sent.
      if (tries === TRIES_MAX || (error instanceof Error && error.name === 'ValidationError')) throw error;
      await host.sleep(PAUSE_MS * 2 ** tries);
    }
  }
}

async function readDuplicate<T extends Identified>(model: Model<T>, id: string, error: unknown, host: Host): Promise<T> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const stored = await model.findById(id).lean<T>();
    if (stored) return stored;
    if (look > 0 && !namesId(error)) throw new OtherIndexTaken(error);
    await host.sleep(PAUSE_MS * 2 ** look);
  }
  throw error;
}

/** Another unique index than `_id` has the value: choose another. */
export class OtherIndexTaken extends Error {
  constructor(cause: unknown) {
    super('a unique index other than _id refused the insert', { cause });
  }
}

// writeErrors need not carry a keyPattern: the index's name stands in the message.
const namesId = (error: unknown) => error instanceof Error && /index: _id_|_id_ dup key/.test(error.message);
