export * from '#libs/process';
export * from './database-ready.guard.ts';
export * from './run-service.ts';
export * from './secrets.ts';
export * from './settings.ts';
export * from './tokens.ts';
