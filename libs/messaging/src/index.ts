export * from './bus.ts';
export * from './nats-link.ts';
export * from './refused.ts';
export * from './rpc-client.ts';
export * from './rpc-server.ts';
