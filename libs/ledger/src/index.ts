export * from './hash.ts';
export * from './post.ts';
export * from './rules.ts';
export * from './source.ts';
export * from './time.ts';
export * from './transfer.ts';
export * from './verify.ts';
