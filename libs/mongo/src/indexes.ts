import type { Connection } from 'mongoose';

/**
 * Makes the collections and indexes of a connection's models, and reads the unique ones back: throws until each is there, since money
 * rests on them. Safe to run by several processes at once.
 */
export async function ensureIndexes(connection: Connection): Promise<void> {
  for (const model of Object.values(connection.models)) {
    await model.createCollection();
    await model.createIndexes();
    const present = await model.listIndexes();
    for (const [fields, options] of model.schema.indexes()) {
      const found = present.find((index) => JSON.stringify(index['key']) === JSON.stringify(fields));
      if (!found || Boolean(found['unique']) !== Boolean(options['unique'])) {
        throw new Error(
          `collection ${model.collection.name} lacks the ${options['unique'] ? 'unique ' : ''}index ${JSON.stringify(fields)}`,
        );
      }
    }
  }
}
