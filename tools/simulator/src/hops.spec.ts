import { describe, expect, it } from '@jest/globals';
import { hopsOf, TraceExport } from './hops.ts';

const span = (name: string, kind: number, more: object = {}) => ({
  traceId: '904e042e5d421ee0eec224470a3d2973',
  spanId: 'eec224470a3d2973',
  name,
  kind,
  startTimeUnixNano: '1795610568465123456',
  endTimeUnixNano: '1795610568484623456',
  attributes: [{ key: 'payment.id', value: { stringValue: 'SM1' } }],
  status: { code: 0 },
  ...more,
});

const exported = (service: string, ...spans: object[]) =>
  TraceExport.parse({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }], droppedAttributesCount: 0 },
        scopeSpans: [{ scope: { name: 'smspay' }, spans }],
      },
    ],
  });

describe('hops', () => {
  it("are the askers' spans, with who was asked by the contracts, in milliseconds", () => {
    expect(hopsOf(exported('transactions', span('wallet.transfer.make', 3)))).toEqual([
      {
        spanId: 'eec224470a3d2973',
        from: 'transactions',
        to: 'wallet',
        name: 'wallet.transfer.make',
        at: 1795610568465.123,
        ms: 19.5,
        failed: false,
      },
    ]);
  });

  it('go to Twilio too, and say when they failed', () => {
    expect(hopsOf(exported('sms-gateway', span('provider send', 3, { status: { code: 2, message: 'Error' } })))).toMatchObject([
      { from: 'sms-gateway', to: 'Twilio', failed: true },
    ]);
  });

  it('are neither the other side of the same nor steps inside a service', () => {
    expect(
      hopsOf(exported('wallet', span('wallet.transfer.make', 2), span('inbox drive', 1), span('something else', 3))),
    ).toEqual([]);
    expect(hopsOf(exported('another program', span('wallet.transfer.make', 3)))).toEqual([]);
  });

  it('refuse what is no export', () => {
    expect(TraceExport.safeParse({ resourceSpans: [{}] }).success).toBe(false);
  });
});
