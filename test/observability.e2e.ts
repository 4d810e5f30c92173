import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Phone, SERVICES, Town, until } from '#libs/testing';
import getPort from 'get-port';

interface Span {
  service: string;
  traceId: string;
  name: string;
}

/** What OTLP/HTTP carries, as far as it is looked at here. */
interface TraceExport {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: { traceId: string; name: string }[] }[];
  }[];
}

describe('an operator', () => {
  let town: Town;
  let ada: Phone;
  let ben: Phone;
  const spans: Span[] = [];
  const secrets: string[] = [];
  const collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as TraceExport;
      for (const { resource, scopeSpans } of resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({ service, traceId: span.traceId, name: span.name });
      }
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    });
  });

  beforeAll(async () => {
    const port = await getPort();
    await new Promise<void>((resolve) => collector.listen(port, '127.0.0.1', resolve));
    town = await Town.open({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '100', LOG_LEVEL: 'debug' },
    });
    ada = await town.joins({ name: 'Adalberta', balance: '100.00' });
    ben = await town.joins({ name: 'Benvenuto' });
    await ada.sends(`PAY 25 ${ben.number} chocolate`);
    const [, code = ''] = await ada.receives(/Reply (\d{6})/);
    await ada.sends(code);
    await ada.receives(/^Paid/);
    await ben.receives(/^You got/);
    await ada.sends('BAL');
    await ada.receives(/^Balance/);
    await town.checkInvariants();
    secrets.push(code);
  });
  afterAll(async () => {
    await town.close();
    collector.close();
    collector.closeAllConnections();
  });

  it('follows one SMS through all services in one trace', async () => {
    const inTrace = (traceId: string) => new Set(spans.filter((span) => span.traceId === traceId).map((span) => span.service));
    const roots = () => spans.filter((span) => span.name === 'sms inbound').map((span) => span.traceId);
    await until(() => roots().some((traceId) => SERVICES.every((service) => inTrace(traceId).has(service))), {
      timeoutMs: 10_000,
      what: () =>
        `one trace over all services; there are ${JSON.stringify(spans.map((span) => [span.traceId.slice(0, 6), span.service, span.name]))}`,
    });
    expect(spans.map((span) => span.name)).toEqual(
      expect.arrayContaining(['wallet.transfer.make', 'notifications.tell', 'gateway.texts.queue', 'provider send']),
    );
  });

  it('finds one line per outcome, and no secret, text, name or whole number in any', () => {
    const lines = town.processes.flatMap((process) => process.lines);
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed.filter((line) => line['msg'] === 'payment ended')).toHaveLength(1);
    expect(parsed.filter((line) => line['msg'] === 'sms understood')).toHaveLength(5);
    for (const word of [...secrets, 'chocolate', 'Adalberta', 'Benvenuto', ada.number, ben.number, 'Welcome']) {
      expect(lines.filter((line) => line.includes(word))).toEqual([]);
    }
  });

  it('finds no code and no text in the clear in any collection', async () => {
    for (const service of ['sms-gateway', 'transactions', 'wallet'] as const) {
      for (const { name } of await town.db(service).listCollections().toArray()) {
        const documents = await town.db(service).collection(name).find().toArray();
        const text = JSON.stringify(documents, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
        for (const word of [...secrets.map((code) => `"${code}"`), `Reply ${secrets[0]}`, 'Welcome', 'PAY 25', 'You got'])
          expect(text).not.toContain(word);
      }
    }
  });

  const metrics = async (service: (typeof SERVICES)[number]) =>
    (await fetch(`http://127.0.0.1:${town.of(service)[0]?.port}/metrics`)).text();
  /** Waits until a metric without labels has a value that is looked for. */
  const gaugeIs = (service: (typeof SERVICES)[number], name: string, isSo: (value: number) => boolean) =>
    until(async () => isSo(Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metrics(service))?.[1])), {
      timeoutMs: 20_000,
      what: () => `${name} of ${service}`,
    });

  it('reads metrics that say what happened', async () => {
    expect(await metrics('sms-gateway')).toMatch(/smspay_sms_sent_total\{result="accepted"\} 6/);
    expect(await metrics('transactions')).toMatch(/smspay_payments_total\{state="completed",reason=""\} 1/);
    expect(await metrics('wallet')).toMatch(/smspay_transfers_total\{kind="payment",result="made"\} 1/);
    expect(await metrics('notifications')).toMatch(/smspay_rpc_seconds_count\{subject="gateway.texts.queue",result="ok"\} \d/);
  });

  it('reads metrics that say what is wrong, while it is', async () => {
    await gaugeIs('wallet', 'smspay_clock_skew_seconds', (skew) => Math.abs(skew) < 1 && skew !== 0);
    await gaugeIs('transactions', 'smspay_payments_stuck', (stuck) => stuck === 0);
    await town.killNats();
    await ada.sends('BAL');
    for (const service of SERVICES) {
      await gaugeIs(service, 'smspay_nats_connected', (connected) => connected === 0);
      // SMS are taken without NATS.
      await gaugeIs(service, 'smspay_ready', (ready) => ready === (service === 'sms-gateway' ? 1 : 0));
    }
    await gaugeIs('sms-gateway', 'smspay_inbox_oldest_seconds', (seconds) => seconds > 1 && seconds < 60);
    await town.bringBackNats();
    await gaugeIs('sms-gateway', 'smspay_inbox_oldest_seconds', (seconds) => seconds === 0);
    for (const service of SERVICES) {
      await gaugeIs(service, 'smspay_nats_connected', (connected) => connected === 1);
      await gaugeIs(service, 'smspay_ready', (ready) => ready === 1);
    }
  });

  it('sees each service live and ready', async () => {
    for (const service of SERVICES) {
      for (const path of ['live', 'ready']) {
        const health = await fetch(`http://127.0.0.1:${town.of(service)[0]?.port}/health/${path}`);
        expect([service, path, health.status]).toEqual([service, path, 200]);
      }
    }
  });
});
