import { expect, it } from '@jest/globals';
import { keepDocument } from '#libs/testing';
import type { z } from 'zod';
import { settings as notifications } from '../apps/notifications/src/settings.ts';
import { settings as gateway } from '../apps/sms-gateway/src/settings.ts';
import { settings as transactions } from '../apps/transactions/src/settings.ts';
import { settings as wallet } from '../apps/wallet/src/settings.ts';

const SERVICES: Record<string, z.ZodObject> = { 'sms-gateway': gateway, transactions, wallet, notifications };

const HEAD = `# Settings

The environment of the services, checked at start: one clear line for each that is wrong, and exit code 78. An empty variable is an absent
one. \`test/settings.spec.ts\` writes this page from the \`settings.ts\` of each service.

| setting | services | default | |
|---|---|---|---|
`;

/** The schema's default, as people would write it; undefined if the setting is needed, empty if it may be absent. */
function defaultOf(field: z.ZodType): string | undefined {
  const given = field.safeParse(undefined);
  if (!given.success) return undefined;
  return given.data === undefined ? '' : [given.data].flat().join(',');
}

it('docs/settings.md says what the services read', () => {
  const rows = new Map<string, { services: string[]; line: string }>();
  for (const [service, schema] of Object.entries(SERVICES)) {
    for (const [name, field] of Object.entries(schema.shape) as [string, z.ZodType][]) {
      const { description } = field;
      if (!description) throw new Error(`${name} of ${service} has no description`);
      const value = defaultOf(field);
      const line = `${value === undefined ? 'needed' : value && `\`${value}\``} | ${description.replaceAll('|', '\\|')} |`;
      const row = rows.get(name) ?? { services: [], line };
      expect([name, line]).toEqual([name, row.line]);
      rows.set(name, { ...row, services: [...row.services, service] });
    }
  }
  const all = (services: string[]) => (services.length === Object.keys(SERVICES).length ? 'all' : services.join(', '));
  keepDocument(
    'docs/settings.md',
    HEAD + [...rows].map(([name, { services, line }]) => `| \`${name}\` | ${all(services)} | ${line}\n`).join(''),
  );
});
