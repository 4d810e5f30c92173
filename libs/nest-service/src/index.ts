export * from './clock.ts';
export * from './database.ts';
export * from './database-ready.guard.ts';
export { HealthController } from './health.controller.ts';
export * from './run-service.ts';
export * from './tokens.ts';
