export * from './bus.ts';
export * from './faults.ts';
export * from './nats-link.ts';
export * from './redrive.ts';
export * from './refused.ts';
export * from './rpc-client.ts';
export * from './rpc-server.ts';
