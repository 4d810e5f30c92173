import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import * as contracts from '#libs/contracts';
import { TIME_LEFT_HEADER, TRACE_HEADER } from '#libs/messaging';
import { keepDocument } from '#libs/testing';
import specs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import { stringify } from 'yaml';
import { z } from 'zod';
import { commentsOf } from './comments.ts';

const HEAD = '# Written by test/documents/asyncapi.spec.ts from libs/contracts.\n';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const comments = commentsOf('libs/contracts/src/*.ts');
const described = (name: string) => (comments.has(name) ? { description: comments.get(name) } : {});
const ref = (...path: string[]) => ({ $ref: `#/${path.join('/')}` });

const values = Object.entries(contracts as Record<string, unknown>);
const questions = contracts.CONTRACTS.toSorted((a, b) => (a.subject < b.subject ? -1 : 1)).map((contract) => {
  const [name] = values.find(([, value]) => value === contract) ?? [];
  if (!name) throw new Error(`${contract.subject} is not exported`);
  return Object.assign({ name }, contract);
});

/** Every type on the wire, under the name that the code gives it. */
const registry = z.registry<{ id: string; description?: string | undefined }>();
for (const [name, value] of values) if (value instanceof z.ZodType) registry.add(value, { id: name, ...described(name) });
for (const { name, request, response } of questions) {
  registry.add(request, { id: `${name}Request` });
  if (!registry.has(response)) registry.add(response, { id: `${name}Response` });
}

function schemas(): Record<string, object> {
  // The input of a codec is what travels.
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    target: 'draft-7',
    uri: (id) => ref('components', 'schemas', id).$ref,
  });
  for (const schema of Object.values(schemas)) {
    delete schema.$schema;
    delete schema.$id;
  }
  return Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Each question is a channel and an operation of the service that answers it; its answer comes on the asker's own inbox. */
const document = {
  asyncapi: '3.0.0',
  info: {
    title: 'smspay',
    version,
    description:
      'What the services ask each other over NATS: request and reply, nothing more. An answer means that the database of the one who answers holds what was asked. Each credential may publish and subscribe just what is said here.',
  },
  defaultContentType: 'application/json',
  servers: { nats: { host: 'nats:4222', protocol: 'nats', description: 'NATS_URL of each service; no JetStream.' } },
  channels: Object.fromEntries(
    questions.flatMap(({ name, subject }) => [
      [name, { address: subject, messages: { request: ref('components', 'messages', `${name}Request`) } }],
      [
        `${name}Reply`,
        { address: null, description: "The asker's inbox.", messages: { reply: ref('components', 'messages', `${name}Reply`) } },
      ],
    ]),
  ),
  operations: Object.fromEntries(
    questions.map(({ name, by, from }) => [
      name,
      {
        action: 'receive',
        channel: ref('channels', name),
        summary: `${by} answers ${from.join(' and ')}`,
        ...described(name),
        tags: [{ name: by }],
        'x-asked-by': from,
        bindings: { nats: { queue: by, bindingVersion: '0.1.0' } },
        messages: [ref('channels', name, 'messages', 'request')],
        reply: { channel: ref('channels', `${name}Reply`), messages: [ref('channels', `${name}Reply`, 'messages', 'reply')] },
      },
    ]),
  ),
  components: {
    messages: Object.fromEntries(
      questions.flatMap(({ name, request, response }) => [
        [
          `${name}Request`,
          { headers: ref('components', 'schemas', 'Headers'), payload: ref('components', 'schemas', idOf(request)) },
        ],
        [`${name}Reply`, { payload: { oneOf: [okOf(response), ref('components', 'schemas', 'Fault')] } }],
      ]),
    ),
    schemas: {
      Headers: {
        type: 'object',
        properties: {
          [TIME_LEFT_HEADER]: { type: 'string', description: 'How long the asker waits from now on, milliseconds.' },
          [TRACE_HEADER]: { type: 'string', description: 'The W3C trace that the request belongs to.' },
        },
      },
      Fault: {
        type: 'object',
        properties: { error: { enum: ['failed', 'unavailable'] satisfies contracts.RpcFault[] } },
        required: ['error'],
        description: comments.get('RpcFault'),
      },
      ...schemas(),
    },
  },
};

function idOf(schema: z.ZodType): string {
  return registry.get(schema)?.id ?? '';
}

function okOf(response: z.ZodType): object {
  return { type: 'object', properties: { ok: ref('components', 'schemas', idOf(response)) }, required: ['ok'] };
}

/** What `$ref`s point at, all over a document. */
function refsOf(value: unknown): string[] {
  if (!value || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : refsOf(inner)));
}

const isThere = (pointer: string) =>
  pointer
    .slice('#/'.length)
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document) !== undefined;

it('docs/asyncapi.yaml says what the contracts say', () => {
  keepDocument('docs/asyncapi.yaml', HEAD + stringify(document, { aliasDuplicateObjects: false, lineWidth: 130 }));
});

it('is AsyncAPI, and points at nothing that is not there', () => {
  // The published schema brings its own copy of draft-07.
  const validate = new Ajv({ strict: false, meta: false, validateFormats: false }).compile(specs.schemas['3.0.0']);
  expect(validate(document) ? [] : validate.errors).toEqual([]);
  expect(refsOf(document).length).toBeGreaterThan(questions.length);
  expect(refsOf(document).filter((pointer) => !isThere(pointer))).toEqual([]);
});
