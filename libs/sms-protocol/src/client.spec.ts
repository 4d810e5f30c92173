import { describe, expect, it } from '@jest/globals';
import { ERROR, UNSOLICITED } from './bodies.ts';
import * as client from './client.ts';
import { noble } from './noble.ts';
import { certificateOf, p, Parties, ROOT, START, trustOf } from './parties.spec-helper.ts';
import { readReceipt, verifyReceipt } from './receipt.ts';
import { signAdd, signRevoke } from './trust.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('a client', () => {
  it('registers, pays, and has a receipt that anyone can check with the certificate', async () => {
    const parties = new Parties();
    expect(await parties.both(parties.register())).toMatchObject([
      { type: 'acknowledged', ack: { msisdn: 15551230001n, currency: 'USD' } },
    ]);
    expect(client.command(p, parties.state, { type: 'balance' }, parties.clock())).toEqual({
      result: 'refused',
      reason: 'no_session',
    });
    expect(await parties.both(parties.confirm())).toMatchObject([
      { type: 'answer', command: 'confirm', body: { type: 'welcome' } },
    ]);
    const [paid] = await parties.both(parties.pay());
    expect(paid).toMatchObject({ type: 'answer', command: 'pay', body: { type: 'receipt', amount: 250n, balance: 999_750n } });
    expect(parties.session().balance?.amount).toBe(999_750n);
    if (paid?.type !== 'answer') throw new Error('not paid');
    for (const each of [p, noble]) expect(verifyReceipt(each, paid.receipt, parties.own.certificate)).toBe(true);
    expect(readReceipt(paid.receipt)).toEqual({ result: 'body', body: paid.body });
    const { receipt } = paid;
    const other = receipt.body.slice();
    other[8] = 1;
    for (const forged of [
      { ...receipt, n: 7 },
      { ...receipt, body: other },
      { ...receipt, th: receipt.serial },
    ]) {
      expect(verifyReceipt(p, forged, parties.own.certificate)).toBe(false);
    }
    expect(verifyReceipt(p, receipt, certificateOf(2).certificate)).toBe(false);
    expect(verifyReceipt(p, receipt, { ...parties.own.certificate, signPub: certificateOf(2).certificate.signPub })).toBe(false);
  });

  it('sends the identical text after 3, 15 and 60 minutes, then gives up', async () => {
    const parties = await new Parties().registered();
    const text = parties.pay();
    const sent: [number, string[]][] = [];
    for (let minute = 1; minute <= 121; minute++) {
      parties.now += MINUTE;
      const step = client.tick(p, parties.state, parties.clock());
      parties.state = step.state;
      if (step.texts.length > 0) sent.push([minute, step.texts]);
      if (minute === 120) expect(step.events).toMatchObject([{ type: 'unanswered', command: 'pay' }]);
    }
    expect(sent.slice(0, 3)).toEqual([
      [3, [text]],
      [15, [text]],
      [60, [text]],
    ]);
    // Then BALANCE, 128 counters on.
    expect(sent.slice(3)).toEqual([[120, [expect.not.stringMatching(text)]]]);
    expect(parties.session().sent).toMatchObject([{ type: 'balance', n: 1 + 128 }]);
  });

  it('finds out that it is registered though each WELCOME was lost', async () => {
    const parties = new Parties();
    await parties.both(parties.register());
    await parties.serve(parties.confirm());
    const events = await parties.tick(2 * HOUR);
    expect(events).toMatchObject([
      { type: 'unanswered', command: 'confirm' },
      { type: 'answer', command: 'balance' },
    ]);
    expect(parties.session().phase).toBe('active');
  });

  it('sends again though somebody set its clock back', async () => {
    const parties = await new Parties().registered();
    const text = parties.pay();
    const step = (now: number) => client.tick(p, parties.state, { ...parties.clock(), now });
    parties.state = step(1000).state;
    expect(step(1000 + 2 * MINUTE).texts).toEqual([]);
    expect(step(1000 + 3 * MINUTE).texts).toEqual([text]);
    const registering = new Parties();
    const hello = registering.register();
    registering.state = client.tick(p, registering.state, { ...registering.clock(), now: 1000 }).state;
    expect(client.tick(p, registering.state, { ...registering.clock(), now: 1000 + 3 * MINUTE }).texts).toEqual([hello]);
  });

  it('that was restored from an older state gets by where its counters are used already', async () => {
    const parties = await new Parties().registered();
    const old = parties.state;
    for (let i = 0; i < 20; i++) await parties.both(parties.pay());
    parties.state = old;
    expect(await parties.both(parties.pay(7n))).toEqual([]);
    const events: client.ClientEvent[] = [];
    for (let hour = 0; hour < 4; hour++) events.push(...(await parties.tick(HOUR)));
    expect(events.map(({ type }) => type)).toEqual(['unanswered', 'answer']);
    expect(parties.session().balance?.amount).toBe(1_000_000n - 20n * 250n);
    expect(await parties.both(parties.pay(9n))).toMatchObject([{ body: { type: 'receipt', amount: 9n } }]);
  });

  it('offers to register again after a day of silence', async () => {
    const parties = await new Parties().registered();
    parties.pay();
    const events: string[] = [];
    for (let minute = 0; minute < 30 * 60; minute += 3) {
      parties.now += 3 * MINUTE;
      const step = client.tick(p, parties.state, parties.clock());
      parties.state = step.state;
      events.push(...step.events.map(({ type }) => type));
    }
    expect(events.filter((type) => type === 'register_again')).toHaveLength(1);
    // Its old root key proves it to the new session.
    expect(client.proofKeys(parties.state)).toEqual([parties.session().epochs[0]?.rk]);
    await parties.registered();
    expect(parties.state.sessions.map(({ phase }) => phase)).toEqual(['active', 'replaced']);
    expect(await parties.both(parties.pay())).toMatchObject([{ body: { type: 'receipt' } }]);
  });

  it('re-keys after 200 messages, after 30 days, and when it is told to; not within 7 days of the last', async () => {
    const parties = await new Parties().registered();
    for (let i = 0; i < 99; i++) await parties.both(parties.command({ type: 'balance' }));
    expect(await parties.tick(MINUTE)).toMatchObject([{ command: 'rekey' }, { type: 'rekeyed' }, { command: 'balance' }]);
    expect(parties.session().epochs.map(({ epoch }) => epoch)).toEqual([1, 0]);
    for (let i = 0; i < 100; i++) await parties.both(parties.command({ type: 'balance' }));
    expect(await parties.tick(MINUTE)).toEqual([]);
    await parties.tick(7 * DAY);
    expect(parties.session().epochs.map(({ epoch }) => epoch)).toEqual([2, 1]);
    await parties.tick(7 * DAY);
    expect(parties.session().epochs.map(({ epoch }) => epoch)).toEqual([2]);
    expect(await parties.tick(23 * DAY)).toMatchObject([{ command: 'rekey' }, { type: 'rekeyed' }, { command: 'balance' }]);
    for (const text of await parties.server.tell({ type: 'notice', re: UNSOLICITED, text: '' })) {
      expect((await parties.receive(text)).map(({ type }) => type)).toEqual(['message', 'answer', 'rekeyed', 'answer']);
    }
    expect(parties.session().epochs.map(({ epoch }) => epoch)).toEqual([4, 3]);
    expect(parties.session().previousRk).toEqual(parties.session().epochs[1]?.rk);
  });

  it('takes the REKEY_ACK of its last REKEY alone, and of the old epoch what is still on its way', async () => {
    const parties = await new Parties().registered();
    const late = parties.command({ type: 'balance' });
    const [answer = ''] = await parties.serve(late);
    const [demand = ''] = await parties.server.tell({ type: 'notice', re: UNSOLICITED, text: '' });
    // What is asked before the demand has come is refused until it has re-keyed, which it does of itself.
    expect(await parties.both(parties.pay())).toMatchObject([
      { body: { code: ERROR.rekeyFirst } },
      { body: { type: 'rekey_ack' } },
      { type: 'rekeyed' },
      { command: 'balance' },
    ]);
    expect(demand).not.toBe('');
    expect(await parties.receive(answer)).toMatchObject([{ type: 'answer', body: { type: 'balance_is' } }]);
    expect(await parties.receive(answer)).toEqual([{ type: 'ignored', reason: 'replay' }]);
    expect(await parties.both(parties.pay())).toMatchObject([{ body: { type: 'receipt' } }]);
  });

  it("sets its estimate of the server's time by ERROR 18, and lets the person decide", async () => {
    const parties = await new Parties().registered();
    expect(client.serverTime(parties.state, parties.clock())).toBe(START);
    // A phone that was off for a day, without a clock that went on.
    parties.now += DAY;
    parties.boot = 'second';
    expect(client.serverTime(parties.state, parties.clock())).toBe(START);
    expect(await parties.both(parties.pay())).toMatchObject([{ body: { code: ERROR.tooLate, arg: BigInt(parties.now) } }]);
    expect(client.serverTime(parties.state, parties.clock())).toBe(parties.now);
    expect(await parties.both(parties.pay())).toMatchObject([{ body: { type: 'receipt' } }]);
    parties.now += 100;
    expect(client.serverTime(parties.state, parties.clock())).toBe(parties.now);
    // It may set it back, a receipt may not.
    parties.state = { ...parties.state, time: { ...parties.state.time, base: parties.now + DAY } };
    await parties.both(parties.command({ type: 'balance' }));
    expect(client.serverTime(parties.state, parties.clock())).toBeGreaterThan(parties.now + HOUR);
    await parties.both(parties.pay());
    expect(client.serverTime(parties.state, parties.clock())).toBe(parties.now);
  });

  it('asks for what it missed', async () => {
    const parties = await new Parties().registered();
    const lost = await parties.serve(parties.pay());
    await parties.both(parties.command({ type: 'balance' }));
    expect(client.missing(parties.session())).toEqual([1]);
    expect(await parties.both(parties.command({ type: 'ask', counters: [1] }))).toMatchObject([
      { type: 'answer', command: 'pay' },
    ]);
    expect(client.missing(parties.session())).toEqual([]);
    expect(await parties.receive(lost[0] ?? '')).toEqual([{ type: 'ignored', reason: 'replay' }]);
    // The balance that came later in time stays, though the receipt came after it.
    expect(parties.session().balance?.amount).toBe(999_750n);
  });

  it('trusts what its root signed, whatever the order, and revoked is for ever', async () => {
    const parties = await new Parties().registered();
    const next = certificateOf(2, 5, 0xfff0).certificate;
    const add = { version: 2, signPub: next.signPub, dhPub: next.dhPub, fromDay: 5, toDay: 0xfff0 };
    const revoke = { version: 3, serial: next.serial };
    const tell = async (...[body]: Parameters<typeof parties.server.tell>) => {
      for (const text of await parties.server.tell(body)) await parties.receive(text);
    };
    await tell({ type: 'trust_revoke', re: UNSOLICITED, ...revoke, rootSig: signRevoke(p, p.sha256(ROOT), revoke) });
    expect(parties.state.trust).toEqual(trustOf(parties.own.certificate));
    await tell({ type: 'trust_revoke', re: UNSOLICITED, ...revoke, rootSig: signRevoke(p, ROOT, revoke) });
    expect(parties.state.trust).toMatchObject({ version: 1, ahead: [3], revoked: [next.serial] });
    await tell({ type: 'trust_add', re: UNSOLICITED, ...add, rootSig: signAdd(p, ROOT, add) });
    expect(parties.state.trust).toMatchObject({ version: 3, ahead: [], revoked: [next.serial] });
    // The server's own: nothing that it signs counts any more.
    const own = { version: 4, serial: parties.own.certificate.serial };
    await tell({ type: 'trust_revoke', re: UNSOLICITED, ...own, rootSig: signRevoke(p, ROOT, own) });
    const [answer = ''] = await parties.serve(parties.command({ type: 'balance' }));
    expect(await parties.receive(answer)).toEqual([{ type: 'ignored', reason: 'revoked' }]);
    expect(client.register(p, parties.state, { app: 1, msisdn: 1n, language: 'en', name: '' }, parties.clock())).toEqual({
      result: 'refused',
      reason: 'update_app',
    });
    const updated = client.withPackaged(parties.state, { ...trustOf(certificateOf(3).certificate, next), version: 5 });
    expect(updated.trust).toMatchObject({ version: 5, revoked: [next.serial, own.serial] });
    expect(client.register(p, updated, { app: 1, msisdn: 1n, language: 'en', name: '' }, parties.clock()).result).toBe('sent');
  });

  it("holds certificates against verified days, not against the phone's clock", async () => {
    const today = Math.floor(START / DAY);
    const parties = new Parties(trustOf(certificateOf(1, 0, today).certificate));
    await parties.registered();
    parties.now += DAY;
    // Its last day is over, but who says so? The message itself does not count.
    expect(await parties.both(parties.command({ type: 'balance' }))).toMatchObject([{ type: 'answer' }]);
    expect(await parties.both(parties.command({ type: 'balance' }))).toEqual([{ type: 'ignored', reason: 'expired' }]);
  });
});
