export * from './redrive.ts';
