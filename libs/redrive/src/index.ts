export * from './driven.record.ts';
export * from './redrive.ts';
