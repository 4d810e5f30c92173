export * from './connection.ts';
export * from './errors.ts';
export * from './indexes.ts';
export * from './insert.ts';
export * from './version.ts';
