import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from '@jest/globals';
import { DatabaseReadyGuard, HealthController } from '#libs/nest-service';
import { Metrics, realHost } from '#libs/runtime';
import { keepDocument } from '#libs/testing';
import type { INestApplication, Type } from '@nestjs/common';
import { GUARDS_METADATA, HEADERS_METADATA, MODULE_METADATA } from '@nestjs/common/constants.js';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { Validator } from '@seriousme/openapi-schema-validator';
import { stringify } from 'yaml';
import { z } from 'zod';
import { SmsGatewayModule } from '../../apps/sms-gateway/src/sms-gateway.module.ts';
import { TwilioSignatureGuard } from '../../apps/sms-gateway/src/twilio-signature.guard.ts';
import { commentsOf } from './comments.ts';

const HEAD = '# Written by test/documents/openapi.spec.ts from the controllers.\n';
type Operation = NonNullable<OpenAPIObject['paths'][string]['post']>;

const FORM = 'application/x-www-form-urlencoded';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const comments = commentsOf('apps/sms-gateway/src/*.controller.ts', 'libs/nest-service/src/health.controller.ts');
const controllers: Type[] = [...Reflect.getMetadata(MODULE_METADATA.CONTROLLERS, SmsGatewayModule), HealthController];

/** What a guard answers in the place of the handler. */
const REFUSALS = new Map<Type, Record<string, { description: string }>>([
  [TwilioSignatureGuard, { 403: { description: 'The signature is not true. Nothing was stored.' } }],
  [DatabaseReadyGuard, { 503: { description: 'The database is not ready. Nothing was stored.' } }],
]);

/** The app as far as Nest's explorer looks at it: handlers and no service behind them. */
async function handlersAlone(): Promise<INestApplication> {
  const module = await Test.createTestingModule({ controllers })
    .useMocker((token) => (token === Metrics ? new Metrics(realHost) : { PUBLIC_URL: '' }))
    .compile();
  return module.createNestApplication(new FastifyAdapter() as unknown as AbstractHttpAdapter);
}

function describeHttp(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('smspay')
    .setVersion(version)
    .setDescription('The webhooks of the gateway; health and metrics, the same in each service, are for the cluster alone.')
    .addSecurity('twilio', { type: 'apiKey', in: 'header', name: 'X-Twilio-Signature' });
  const document = SwaggerModule.createDocument(app, config.build(), {
    operationIdFactory: (controller, method) => `${controller}.${method}`,
    standardSchemaConverter: (schema) => {
      const wire = z.toJSONSchema(schema as z.ZodType, { io: 'input' });
      delete wire.$schema;
      return { schema: wire };
    },
  });
  for (const { get, post } of Object.values(document.paths)) {
    for (const operation of [get, post]) if (operation) complete(operation);
  }
  return document;
}

/** Adds what the explorer does not read of a handler: its comment, its guards, the type of its form and of its answer. */
function complete(operation: Operation): void {
  const [controllerName, method = ''] = operation.operationId?.split('.') ?? [];
  const controller = controllers.find(({ name }) => name === controllerName);
  if (!controller) throw new Error(`${operation.operationId} is a handler of no controller`);
  const comment = comments.get(`${controllerName}.${method}`);
  if (comment) operation.description = comment;

  const guards: Type[] = Reflect.getMetadata(GUARDS_METADATA, controller) ?? [];
  if (guards.includes(TwilioSignatureGuard)) operation.security = [{ twilio: [] }];
  for (const guard of guards) Object.assign(operation.responses, REFUSALS.get(guard));

  const form = operation.requestBody;
  if (form && 'content' in form) {
    form.content = { [FORM]: form.content['application/json'] ?? {} };
    operation.responses[400] = { description: 'Not the form that is described here.' };
    operation.responses[413] = { description: 'More than 32 KiB or 200 fields. Nothing was read of it.' };
    operation.responses[415] = { description: 'Not a form. Nothing was read of it.' };
  }
  const headers: { name: string; value: string }[] = Reflect.getMetadata(HEADERS_METADATA, controller.prototype[method]) ?? [];
  const type = headers.find(({ name }) => name === 'Content-Type')?.value;
  if (type) Object.assign(operation.responses[200] ?? {}, { content: { [type]: { schema: { type: 'string' } } } });
}

let document: OpenAPIObject;
beforeAll(async () => {
  const app = await handlersAlone();
  document = describeHttp(app);
  await app.close();
});

it('docs/openapi.yaml says what the controllers take', () => {
  keepDocument('docs/openapi.yaml', HEAD + stringify(document, { aliasDuplicateObjects: false, lineWidth: 130 }));
});

it('is OpenAPI, and names each webhook', async () => {
  expect(await new Validator().validate({ ...document })).toEqual({ valid: true });
  expect(Object.keys(document.paths)).toEqual(['/sms/inbound', '/sms/status', '/health/live', '/health/ready', '/metrics']);
});
