export * from './conversations.ts';
export * from './phone.ts';
export * from './service-process.ts';
export * from './town.ts';
