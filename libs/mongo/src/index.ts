export * from './connection.ts';
export * from './errors.ts';
export * from './indexes.ts';
export * from './insert.ts';
