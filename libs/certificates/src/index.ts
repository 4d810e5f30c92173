export * from './certificate.ts';
export * from './days.ts';
export * from './keys.ts';
export * from './problem.ts';
export * from './server-keys.ts';
export * from './trust-list.ts';
