import 'reflect-metadata';
import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { getConnectionToken, MongooseModule } from '@nestjs/mongoose';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import type { Asker } from '#libs/contracts';
import { NatsLink, PassOn, RpcClient, RpcServer, Unavailable } from '#libs/messaging';
import { connectionOptions, uriProblems } from '#libs/mongo';
import {
  type commonSettings,
  gauge,
  Lifecycle,
  log,
  nameLogs,
  nestLogger,
  startTracing,
  stopTracing,
  readSettings,
  WRONG_SETTINGS,
} from '#libs/process';
import type { Connection } from 'mongoose';
import type { z } from 'zod';
import { Database } from './database.ts';
import { HealthController, type Need, NEEDS } from './health.controller.ts';
import { SETTINGS } from './tokens.ts';

/** Longer than the longest request, shorter than a pod's grace period. */
const STOP_MAX_MS = 25_000;
const LAME_DUCK_MS = 500;

/** What is special about one service. */
export interface Service<Schema extends z.ZodObject> {
  name: Asker;
  module: Type;
  settings: Schema;
  /** What readiness looks at; a service that has `MONGODB_URI` has its database opened either way. */
  needs: readonly Need[];
}

type Common = z.output<typeof commonSettings> & { MONGODB_URI?: string; HTTP_ADAPTER?: 'fastify' | 'express' };

/** Runs one service until SIGTERM or SIGINT: settings, logs, traces, metrics, health, and the order of shutdown. */
export async function runService<Schema extends z.ZodObject>(service: Service<Schema>): Promise<void> {
  nameLogs(service.name);
  const settings = settingsOrExit(service.settings) as z.output<Schema> & Common;
  log.level = settings.LOG_LEVEL;
  startTracing(service.name, settings.OTEL_EXPORTER_OTLP_ENDPOINT);
  if (settings.SMSPAY_MODE === 'development') log.warn('development mode: its secrets are not for real money');

  const lifecycle = new Lifecycle();
  const link = new NatsLink(service.name, settings);
  gauge('smspay_nats_connected', '1 while the connection to NATS stands', () => (link.connection ? 1 : 0));
  const server = new RpcServer(link, service.name);
  const app = await NestFactory.create(rootOf(service, settings, lifecycle, link), await httpAdapter(settings.HTTP_ADAPTER), {
    logger: nestLogger,
    abortOnError: false,
  });
  app.connectMicroservice({ strategy: server }, { deferInitialization: true }).useGlobalFilters(new PassOn());

  await app.listen(settings.PORT, '0.0.0.0');
  log.info({ port: app.getHttpServer().address().port }, 'listening');
  // Nothing is taken before the unique indexes were read back: money rests on them.
  const take = async () => {
    if (settings.MONGODB_URI) await app.get(Database).open(lifecycle);
    if (lifecycle.accepting) await app.startAllMicroservices();
  };
  lifecycle.track(take());

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error('the stop took too long; what is left is driven again from the database');
      process.exit(1);
    }, STOP_MAX_MS).unref();
    // Not ready → no new requests → answer what is in flight → NATS → MongoDB → traces and logs.
    await lifecycle.stop();
    await Promise.all([closeHttp(app.getHttpServer()), server.drain()]);
    await lifecycle.idle();
    await link.close();
    await app.close();
    await stopTracing();
    log.info('stopped');
    process.exit(0);
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
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

function rootOf(service: Service<z.ZodObject>, settings: Common, lifecycle: Lifecycle, link: NatsLink): DynamicModule {
  const uri = settings.MONGODB_URI;
  const nats = () => {
    if (!link.connection) throw new Unavailable('NATS');
  };
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
      { provide: SETTINGS, useValue: settings },
      { provide: Lifecycle, useValue: lifecycle },
      { provide: RpcClient, useValue: new RpcClient(link) },
      ...(uri
        ? [
            {
              provide: Database,
              useFactory: (connection: Connection) => new Database(connection, uri),
              inject: [getConnectionToken()],
            },
          ]
        : []),
      {
        provide: NEEDS,
        useFactory: (database?: Database) =>
          new Map(service.needs.map((need) => [need, need === 'nats' ? nats : () => database?.check()] as const)),
        inject: uri ? [Database] : [],
      },
    ],
    exports: [SETTINGS, Lifecycle, RpcClient, ...(uri ? [Database] : [])],
  };
}

// The first connection may fail; `Database.open` tries again.
function quiet(connection: Connection): Connection {
  connection.on('error', (error: unknown) => log.debug({ err: error }, 'database connection'));
  connection.asPromise().catch(() => undefined);
  return connection;
}

async function httpAdapter(name: 'fastify' | 'express' = 'fastify'): Promise<AbstractHttpAdapter> {
  if (name === 'express') return new (await import('@nestjs/platform-express')).ExpressAdapter();
  return new (await import('@nestjs/platform-fastify')).FastifyAdapter({
    forceCloseConnections: 'idle',
  }) as unknown as AbstractHttpAdapter;
}

/**
 * Requests are still answered for a moment, each with `Connection: close`, so that no client sends one on a connection that is closing
 * (RFC 9112, 9.6); then no new connection, and when what is under way is answered, the end.
 */
async function closeHttp(server: Server): Promise<void> {
  server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
  await pause(LAME_DUCK_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    server.once('close', () => clearInterval(sweep));
  });
}
