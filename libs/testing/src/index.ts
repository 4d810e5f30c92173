export * from './conversations.ts';
export * from './document.ts';
export * from './load.ts';
export * from './lossy-mongo.ts';
export * from './lossy-nats.ts';
export * from './phone.ts';
export * from './service-process.ts';
export * from './town.ts';
