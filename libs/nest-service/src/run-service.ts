import 'reflect-metadata';
import type { RequestListener } from 'node:http';
import { type DynamicModule, Global, type INestApplication, Module, type Provider, type Type } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { getConnectionToken, MongooseModule } from '@nestjs/mongoose';
import { TerminusModule } from '@nestjs/terminus';
import type { Asker } from '#libs/contracts';
import { Bus, NatsLink, PassOn, RpcClient, RpcServer } from '#libs/messaging';
import { connectionOptions, uriProblems } from '#libs/mongo';
import {
  type commonSettings,
  Host,
  Lifecycle,
  log,
  Metrics,
  nameLogs,
  nestLogger,
  readSettings,
  realHost,
  startTracing,
  stopTracing,
  WRONG_SETTINGS,
} from '#libs/runtime';
import type { Connection } from 'mongoose';
import type { z } from 'zod';
import { BoundedHttpServer, listenAt } from './bounded-http-server.ts';
import { Clock } from './clock.ts';
import { Database } from './database.ts';
import { HealthController, type Need, NEEDS } from './health.controller.ts';
import { SETTINGS } from './tokens.ts';

/** Longer than the longest request, shorter than a pod's grace period. */
const STOP_MAX_MS = 25_000;

/** What is special about one service. */
export interface Service<Schema extends z.ZodObject = z.ZodObject> {
  name: Asker;
  module: Type;
  settings: Schema;
  /** What readiness looks at; a service that has `MONGODB_URI` has its database opened either way. */
  needs: readonly Need[];
  /** What it calls of the world outside, beside its database and the bus. */
  outside?: (settings: z.output<Schema>) => Provider[];
}

type Common = z.output<typeof commonSettings> & { MONGODB_URI?: string; HTTP_ADAPTER?: 'fastify' | 'express' };

/** What a service runs on and by: the real ones, or those of a simulation. */
export interface Surroundings {
  host: Host;
  bus: Bus;
  metrics: Metrics;
}

/** A service that runs. */
export interface RunningService {
  app: INestApplication;
  /** Ends in order: not ready, no new requests, what is in flight is answered, the bus is closed. The database is closed with `app`. */
  drain(): Promise<void>;
}

/** Runs one service until SIGTERM or SIGINT: settings, logs, traces, metrics, health, and the order of shutdown. */
export async function runService<Schema extends z.ZodObject>(service: Service<Schema>): Promise<void> {
  nameLogs(service.name);
  // Node.js itself would print the error with all that hangs on it, past the net of the logs.
  process.once('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault that nobody caught: the process ends');
    process.exit(1);
  });
  const settings = settingsOrExit(service.settings) as z.output<Schema> & Common;
  log.level = settings.LOG_LEVEL;
  startTracing(service.name, settings.OTEL_EXPORTER_OTLP_ENDPOINT);
  if (settings.SMSPAY_MODE === 'development') log.warn('development mode: its secrets are not for real money');

  const metrics = new Metrics(realHost);
  metrics.collectDefaults();
  const bus = new NatsLink(service.name, settings);
  const { app, drain } = await startService(service, settings, { host: realHost, bus, metrics });
  // Nest's types know of a port alone; what there is besides, both frameworks hand on to node.
  await app.listen(listenAt(settings.PORT) as never);
  log.info({ port: app.getHttpServer().address().port }, 'listening');

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error('the stop took too long; what is left is driven again from the database');
      process.exit(1);
    }, STOP_MAX_MS).unref();
    await drain();
    await app.close();
    await stopTracing();
    log.info('stopped');
    process.exit(0);
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
}

/** Starts a service in its surroundings. HTTP is up to the caller: `app.listen()`, or requests put into it. */
export async function startService<Schema extends z.ZodObject>(
  service: Service<Schema>,
  settings: z.output<Schema> & Common,
  { host, bus, metrics }: Surroundings,
): Promise<RunningService> {
  const lifecycle = new Lifecycle(host);
  metrics.gauge('smspay_nats_connected', '1 while the connection to NATS stands', () => (bus.connected ? 1 : 0));
  const server = new RpcServer(bus, service.name, host, metrics);
  const outside = service.outside?.(settings) ?? [];
  const providers: Provider[] = [
    { provide: SETTINGS, useValue: settings },
    { provide: Host, useValue: host },
    { provide: Metrics, useValue: metrics },
    { provide: Lifecycle, useValue: lifecycle },
    { provide: RpcClient, useValue: new RpcClient(bus, host, metrics) },
    ...outside,
  ];
  const http = new BoundedHttpServer(metrics);
  const app = await NestFactory.create(
    rootOf(service, settings, providers, bus),
    await httpAdapter(http, settings.HTTP_ADAPTER),
    {
      logger: nestLogger,
      abortOnError: false,
      bodyParser: false,
    },
  );
  app.connectMicroservice({ strategy: server }, { deferInitialization: true }).useGlobalFilters(new PassOn());
  await app.init();

  // Nothing is taken before the unique indexes were read back: money rests on them.
  const take = async () => {
    if (settings.MONGODB_URI) await app.get(Database).open(lifecycle);
    if (lifecycle.accepting) await app.startAllMicroservices();
  };
  lifecycle.track(take());

  const drain = async () => {
    lifecycle.stop();
    await Promise.all([http.close(app.getHttpServer(), host), server.drain()]);
    await lifecycle.idle();
    await bus.close();
  };
  return { app, drain };
}

function settingsOrExit<Schema extends z.ZodObject>(schema: Schema): z.output<Schema> {
  const read = readSettings(schema, process.env);
  const uri = 'settings' in read ? read.settings['MONGODB_URI'] : undefined;
  const problems =
    'problems' in read
      ? read.problems
      : typeof uri === 'string'
        ? uriProblems(uri).map((problem) => `MONGODB_URI: ${problem}`)
        : [];
  if ('settings' in read && problems.length === 0) return read.settings;
  for (const problem of problems) log.fatal(problem);
  process.exit(WRONG_SETTINGS);
}

function rootOf(service: Service, { MONGODB_URI: uri }: Common, providers: Provider[], bus: Bus): DynamicModule {
  const nats = () => (bus.connected ? undefined : 'not connected');
  @Global()
  @Module({})
  class ServiceRoot {}
  return {
    module: ServiceRoot,
    imports: [
      TerminusModule.forRoot({ errorLogStyle: 'json', logger: false }),
      ...(uri ? [MongooseModule.forRoot(uri, { ...connectionOptions, lazyConnection: true, connectionFactory: quiet })] : []),
      service.module,
    ],
    controllers: [HealthController],
    providers: [
      ...providers,
      ...(uri
        ? [
            {
              provide: Database,
              useFactory: (connection: Connection, clock: Clock, host: Host, metrics: Metrics) =>
                new Database(connection, uri, clock, host, metrics),
              inject: [getConnectionToken(), Clock, Host, Metrics],
            },
            { provide: Clock, useFactory: (host: Host, metrics: Metrics) => new Clock(host, metrics), inject: [Host, Metrics] },
          ]
        : []),
      {
        provide: NEEDS,
        useFactory: (database?: Database, clock?: Clock) => {
          const checks = {
            nats,
            mongodb: () => database?.problem,
            clock: () => (clock?.good === false ? 'it differs from that of the database' : undefined),
          };
          return new Map(service.needs.map((need) => [need, checks[need]] as const));
        },
        inject: uri ? [Database, Clock] : [],
      },
    ],
    exports: [...providers.map(tokenOf), ...(uri ? [Database, Clock] : [])],
  };
}

const tokenOf = (provider: Provider) => (typeof provider === 'function' ? provider : provider.provide);

// The first connection may fail; `Database.open` tries again.
function quiet(connection: Connection): Connection {
  connection.on('error', (error: unknown) => log.debug({ err: error }, 'database connection'));
  connection.asPromise().catch(() => undefined);
  return connection;
}

async function httpAdapter(http: BoundedHttpServer, name: 'fastify' | 'express' = 'fastify'): Promise<AbstractHttpAdapter> {
  if (name === 'express') {
    const adapter = new (await import('@nestjs/platform-express')).ExpressAdapter();
    adapter.initHttpServer = () => adapter.setHttpServer(http.serve(adapter.getInstance()));
    return adapter;
  }
  const adapter = new (await import('@nestjs/platform-fastify')).FastifyAdapter({
    serverFactory: (handler: RequestListener) => http.serve(handler),
    clientErrorHandler: () => undefined,
    forceCloseConnections: 'idle',
  });
  const fastify = adapter.getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', ({ raw }, _payload, done) => done(null, (raw as { body?: unknown }).body));
  return adapter as unknown as AbstractHttpAdapter;
}
