import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Flood, type Phone, type ServiceProcess, Town } from '#libs/testing';
import twilio from 'twilio';

/** helm/smspay/values.yaml: defaults.resources.limits.memory. */
const LIMITS_MEMORY_MIB = 384;
/** helm/smspay/templates/_pod.tpl: livenessProbe.timeoutSeconds. */
const LIVENESS_MAX_MS = 5_000;
/** Twilio's patience with a webhook. */
const WEBHOOK_MAX_MS = 15_000;
const STOP_MAX_MS = 10_000;
const FLOOD_MS = 8_000;

describe('F24', () => {
  let town: Town;
  let gateway: ServiceProcess;
  let ada: Phone;
  let flood: Flood | undefined;
  beforeAll(async () => {
    // As node itself bounds its heap in a container of that size.
    town = await Town.open({ env: { NODE_OPTIONS: `--max-old-space-size=${LIMITS_MEMORY_MIB / 2}` } });
    [gateway] = town.of('sms-gateway') as [ServiceProcess];
    ada = await town.joins({ name: 'Ada', balance: '100.00' });
  });
  afterAll(async () => {
    await flood?.end();
    await town.close();
  });

  it('floods of what nobody signed keep out nobody, take little memory and leave no line, and a stop ends in its time', async () => {
    const linesBefore = gateway.lines.length;
    flood = Flood.start(gateway.port);
    const end = Date.now() + FLOOD_MS;
    const most = { liveMs: 0, readyMs: 0, webhookMs: 0, memoryMib: 0 };
    await Promise.all([
      again(end, 'liveMs', () => get('/health/live')),
      again(end, 'readyMs', () => get('/health/ready')),
      again(end, 'webhookMs', () => postTrue()),
      again(end, 'memoryMib', async () => ((await metrics()).get('process_resident_memory_bytes') ?? NaN) / 2 ** 20),
    ]);

    expect(most.liveMs).toBeLessThan(LIVENESS_MAX_MS);
    expect(most.readyMs).toBeLessThan(LIVENESS_MAX_MS);
    expect(most.webhookMs).toBeLessThan(WEBHOOK_MAX_MS);
    expect(most.memoryMib).toBeLessThan(LIMITS_MEMORY_MIB);
    const inbox = town.db('sms-gateway').collection<{ _id: string }>('inbox');
    expect(await inbox.countDocuments({ _id: { $in: [...town.taken] } })).toBe(town.taken.size);
    // It was a flood: all of its kinds came, and more than there is room for.
    const counted = await metrics();
    for (const series of [
      'smspay_http_refused_total{why="too_large"}',
      'smspay_http_refused_total{why="no_form"}',
      'smspay_http_refused_total{why="malformed"}',
      'smspay_http_refused_total{why="crowded"}',
      'smspay_http_refused_total{why="early"}',
      'smspay_webhooks_refused_total',
    ])
      expect([series, counted.get(series)]).toEqual([series, expect.any(Number)]);
    // Of each SMS one line, of strangers none.
    expect(gateway.lines.slice(linesBefore).filter((line) => !line.includes('"msg":"sms understood"'))).toEqual([]);

    const began = performance.now();
    await gateway.stop();
    expect([await gateway.ended(), performance.now() - began < STOP_MAX_MS]).toEqual([0, true]);

    /** Does `look` again and again; keeps the most of what it says, or of the milliseconds that it takes. */
    async function again(until: number, what: keyof typeof most, look: () => Promise<number | void>): Promise<void> {
      while (Date.now() < until) {
        const before = performance.now();
        const seen = await look();
        most[what] = Math.max(most[what], seen ?? performance.now() - before);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });

  const url = (path: string) => `http://127.0.0.1:${gateway.port}${path}`;

  // On a connection of its own each time, as a probe comes and as Twilio may.
  const request = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url(path), { ...init, headers: { ...init.headers, Connection: 'close' } });
    expect([path, response.status]).toEqual([path, 200]);
    return response.text();
  };
  const get = async (path: string) => void (await request(path));

  async function postTrue(): Promise<void> {
    const form = town.webhook(ada, 'BAL');
    const signature = twilio.getExpectedTwilioSignature(town.secrets.TWILIO_AUTH_TOKEN, `${town.publicUrl}/sms/inbound`, form);
    await request('/sms/inbound', {
      method: 'POST',
      headers: { 'X-Twilio-Signature': signature },
      body: new URLSearchParams(form),
    });
    town.taken.add(form.MessageSid);
  }

  /** The gateway's metrics, each series with its value. */
  async function metrics(): Promise<Map<string, number>> {
    const lines = (await request('/metrics')).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
  }
});
