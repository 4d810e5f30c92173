export * from './development.ts';
export { type MongoOptions, type MongoServer, startMongo } from './mongo.ts';
export { natsCredentials, type NatsOptions, type NatsServer, type NatsUser, startNats } from './nats.ts';
export { endWithUs, takesConnections } from './server-process.ts';
