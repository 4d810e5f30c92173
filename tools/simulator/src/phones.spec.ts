import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Message } from '#libs/simulated-twilio';
import { Phones } from './phones.ts';

const ADA = '+254722004321';
const NOW = new Date('2026-01-01T10:00:00Z');
let dir: string;

const message = (more: Partial<Message>): Message => ({
  sid: 'SM1',
  direction: 'inbound',
  from: ADA,
  to: '+254700000001',
  body: 'BAL',
  numMedia: 0,
  numSegments: 1,
  status: 'receiving',
  createdAt: NOW,
  updatedAt: NOW,
  ...more,
});

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'smspay-phones-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('phones', () => {
  it('are Ada and Ben at first', () => {
    expect(new Phones(undefined).all().map(({ name }) => name)).toEqual(['Ada', 'Ben']);
  });

  it('show what they sent and got as it stands now, and nothing of strangers', () => {
    const phones = new Phones(undefined);
    phones.show(message({}));
    phones.show(message({ status: 'received', errorCode: 11200 }));
    phones.show(message({ sid: 'SM2', direction: 'outbound-api', from: '+254700000001', to: ADA, status: 'delivered' }));
    expect(phones.show(message({ sid: 'SM3', from: '+254799999999' }))).toBeUndefined();
    expect(phones.texts()).toMatchObject([
      { sid: 'SM1', phone: ADA, direction: 'sent', status: 'received', errorCode: 11200, at: NOW.getTime() },
      { sid: 'SM2', phone: ADA, direction: 'received', status: 'delivered' },
    ]);
  });

  it('are there again after a restart, also one that cut the last line', () => {
    const phones = new Phones(dir);
    phones.add({ name: 'Carol', number: '+254733112233' });
    phones.show(message({}));
    phones.show(message({ status: 'received' }));
    const file = join(dir, 'phones.jsonl');
    appendFileSync(file, '{"text":{"sid":"SM9"');

    const again = new Phones(dir);
    expect(again.all().map(({ name }) => name)).toEqual(['Ada', 'Ben', 'Carol']);
    expect(again.texts()).toMatchObject([{ sid: 'SM1', status: 'received' }]);
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(4);
  });

  it('do not start over by themselves when what was kept cannot be read', () => {
    appendFileSync(join(dir, 'phones.jsonl'), 'not JSON\n');
    expect(() => new Phones(dir)).toThrow('phones.jsonl: delete it to start with fresh phones');
  });

  it('keep the last thousand texts', () => {
    const phones = new Phones(undefined);
    for (let n = 0; n < 1001; n++) phones.show(message({ sid: `SM${n}` }));
    expect(phones.texts()).toHaveLength(1000);
    expect(phones.texts()[0]?.sid).toBe('SM1');
  });
});
