import { describe, expect, it } from '@jest/globals';
import { realHost } from './host.ts';
import { Metrics } from './metrics.ts';

const metrics = new Metrics(realHost);

const lines = async (name: string) => (await metrics.text()).split('\n').filter((line) => line.startsWith(name));

describe('a gauge', () => {
  it('is read when Prometheus asks, and keeps its last value while it cannot be read', async () => {
    let read: () => Promise<number> = () => Promise.resolve(7);
    metrics.gauge('smspay_spec_oldest_seconds', 'read from a database', () => read());
    expect(await lines('smspay_spec_oldest')).toEqual(['smspay_spec_oldest_seconds 7']);
    read = () => Promise.reject(new Error('the database is away'));
    expect(await lines('smspay_spec_oldest')).toEqual(['smspay_spec_oldest_seconds 7']);
    read = () => Promise.resolve(0);
    expect(await lines('smspay_spec_oldest')).toEqual(['smspay_spec_oldest_seconds 0']);
  });

  it('of a label has a value for each', async () => {
    metrics.gauge('smspay_spec_letters', 'by where they lie', () => ({ inbox: 1, outbox: 2 }), 'what');
    expect(await lines('smspay_spec_letters')).toEqual([
      'smspay_spec_letters{what="inbox"} 1',
      'smspay_spec_letters{what="outbox"} 2',
    ]);
  });

  it('that is not answered holds up no other for long', async () => {
    metrics.gauge('smspay_spec_hangs', 'never answered', () => new Promise<number>(() => undefined));
    const began = Date.now();
    expect(await lines('smspay_spec_letters')).toHaveLength(2);
    expect(Date.now() - began).toBeLessThan(8_000);
  });
});
