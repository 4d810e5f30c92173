import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Phone, Town } from '#libs/testing';
import twilio from 'twilio';

const { getExpectedTwilioSignature: signatureOf } = twilio;
const PUBLIC_URL = 'https://pay.example.com/shop';
const NEW_TOKEN = 'development-the-new-token';

/** The gateway stands behind a proxy that speaks HTTPS and takes the prefix away. */
describe('F15', () => {
  let town: Town;
  let ada: Phone;
  let token: string;
  beforeAll(async () => {
    town = await Town.open({ env: { PUBLIC_URL, TWILIO_AUTH_TOKEN_SECONDARY: NEW_TOKEN } });
    token = town.secrets.TWILIO_AUTH_TOKEN;
    ada = town.phone('Ada');
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  /** Posts a webhook that was signed by `by` over `url`, to `path` of the gateway. */
  async function post(
    by: string | undefined,
    url: string,
    { path = '/sms/inbound', headers = {} as Record<string, string>, body = 'MENU' } = {},
  ) {
    const form = { ...town.webhook(ada, body) };
    const response = await fetch(`http://127.0.0.1:${town.of('sms-gateway')[0]?.port}${path}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        ...headers,
        ...(by === undefined ? {} : { 'X-Twilio-Signature': signatureOf(by, url, form) }),
      },
      body: new URLSearchParams(form),
    });
    const stored = await town.db('sms-gateway').collection<{ _id: string }>('inbox').countDocuments({ _id: form.MessageSid });
    expect(stored).toBe(response.status === 200 ? 1 : 0);
    return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
  }

  it('takes what Twilio signed over the public URL, with its port or without, and answers empty TwiML', async () => {
    expect(await post(token, `${PUBLIC_URL}/sms/inbound`)).toEqual({
      status: 200,
      text: '<?xml version="1.0" encoding="UTF-8"?><Response></Response>',
      type: 'text/xml; charset=utf-8',
    });
    expect(await post(token, 'https://pay.example.com:443/shop/sms/inbound')).toMatchObject({ status: 200 });
  });

  it('takes both tokens while one is rotated, and a query that was signed', async () => {
    expect(await post(NEW_TOKEN, `${PUBLIC_URL}/sms/inbound`)).toMatchObject({ status: 200 });
    expect(await post(token, `${PUBLIC_URL}/sms/inbound?a=1&b=two`, { path: '/sms/inbound?a=1&b=two' })).toMatchObject({
      status: 200,
    });
  });

  it.each([
    ['none', undefined, `${PUBLIC_URL}/sms/inbound`, {}],
    ['of another token', 'development-guess', `${PUBLIC_URL}/sms/inbound`, {}],
    ['of an empty token', '', `${PUBLIC_URL}/sms/inbound`, {}],
    ['over http', 'true', 'http://pay.example.com/shop/sms/inbound', {}],
    ['over another host', 'true', 'https://evil.example.com/shop/sms/inbound', {}],
    [
      'over another host that the headers name',
      'true',
      'https://evil.example.com/shop/sms/inbound',
      { headers: { 'X-Forwarded-Host': 'evil.example.com', 'X-Forwarded-Proto': 'https', Host: 'evil.example.com' } },
    ],
    ['without the prefix', 'true', 'https://pay.example.com/sms/inbound', {}],
    ['over another path', 'true', `${PUBLIC_URL}/sms/status`, {}],
    ['over another port', 'true', 'https://pay.example.com:8443/shop/sms/inbound', {}],
    ['without the query that came', 'true', `${PUBLIC_URL}/sms/inbound`, { path: '/sms/inbound?a=1' }],
    ['over a query that did not come', 'true', `${PUBLIC_URL}/sms/inbound?a=1`, {}],
  ])('refuses a signature: %s', async (_, by, url, more) => {
    expect(await post(by === 'true' ? token : by, url, more)).toMatchObject({ status: 403 });
  });

  it('refuses a form that was changed after it was signed, and a status callback without a signature', async () => {
    const form = { ...town.webhook(ada, 'MENU') };
    const signature = signatureOf(token, `${PUBLIC_URL}/sms/inbound`, form);
    const send = (path: string, fields: Record<string, string>, headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${town.of('sms-gateway')[0]?.port}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields),
      });
    expect((await send('/sms/inbound', { ...form, Body: 'BAL' }, { 'X-Twilio-Signature': signature })).status).toBe(403);
    expect((await send('/sms/status?text=x', { MessageSid: 'SM1', MessageStatus: 'delivered' }, {})).status).toBe(403);
  });

  it('does not start without a token, and says so in one line', async () => {
    const [gateway] = town.of('sms-gateway');
    await gateway?.stop();
    gateway?.lines.splice(0);
    await gateway?.start({ TWILIO_AUTH_TOKEN: '' }, { waitReady: false });
    expect(await gateway?.ended()).toBe(78);
    expect(gateway?.lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      'TWILIO_AUTH_TOKEN: is missing: signs webhooks and sends',
    ]);
    await gateway?.start();
  });

  it('does not start in production with what is of development, or without https', async () => {
    const [gateway] = town.of('sms-gateway');
    await gateway?.stop();
    gateway?.lines.splice(0);
    await gateway?.start({ SMSPAY_MODE: 'production', PUBLIC_URL: 'http://pay.example.com' }, { waitReady: false });
    expect(await gateway?.ended()).toBe(78);
    expect(gateway?.lines.join('\n')).toMatch(/PUBLIC_URL: must begin with https:\/\/ in production/);
    gateway?.lines.splice(0);
    await gateway?.start({ SMSPAY_MODE: 'production' }, { waitReady: false });
    expect(await gateway?.ended()).toBe(78);
    expect(gateway?.lines.join('\n')).toMatch(/TWILIO_AUTH_TOKEN: holds a development secret/);
    expect(gateway?.lines.join('\n')).toMatch(/DATA_KEYS: holds a development secret/);
    await gateway?.start();
  });
});
