import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeServerBody } from './bodies.ts';
import * as client from './client.ts';
import { sealForClient, serverEpoch } from './messages.ts';
import { NUMBER, p, Parties, certificateOf } from './parties.spec-helper.ts';
import { fromBase62, isEnvelope, toBase62 } from './text.ts';

/** A client in the midst of things, a text for it, and a server with a text for it: of each kind one that would be taken. */
async function moment() {
  const registering = new Parties();
  const hello = registering.register();
  const [ack] = await new Parties().serve(hello);
  const parties = await new Parties().registered();
  const pay = parties.pay();
  const copy = parties.server.snapshot();
  const [receipt] = await parties.serve(pay);
  parties.server.restore(copy);
  if (!ack || !receipt) throw new Error('no answer');
  // A server of its own for what the phones send.
  const waiting = await new Parties().registered();
  return { hello, ack, registering, receipt, parties, waiting, pay: waiting.pay() };
}

let here: Awaited<ReturnType<typeof moment>>;
beforeAll(async () => {
  here = await moment();
});

/** The text with each of its bits flipped in turn. */
function* flipped(text: string): Generator<string> {
  const bytes = fromBase62(text.slice(1));
  if (!bytes) throw new Error('no envelope');
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const other = bytes.slice();
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield text.charAt(0) + toBase62(other);
  }
}

/** Cut, extended, of another kind, with other characters. */
function* deformed(text: string): Generator<string> {
  for (let length = 0; length < text.length; length++) yield text.slice(0, length);
  yield text.slice(1);
  yield `${text}0`;
  yield text + text;
  yield `${text.slice(0, 1)}0${text.slice(1)}`;
  for (const kind of 'HKCDSTXh0') if (kind !== text.charAt(0)) yield kind + text.slice(1);
  for (const char of ['z', '~', ' ', 'é', '\n']) yield text.slice(0, 1) + char.repeat(text.length - 1);
  yield text.slice(0, 80) + (text.charAt(80) === 'a' ? 'b' : 'a') + text.slice(81);
  yield text.toLowerCase();
}

describe('a text that was changed on its way', () => {
  it.each(['ack', 'receipt'] as const)('is refused by the client, whose state stays: %s', (kind) => {
    const { state } = kind === 'ack' ? here.registering : here.parties;
    const clock = here.parties.clock();
    const before = structuredClone(state);
    for (const text of [...flipped(here[kind]), ...deformed(here[kind])]) {
      const step = client.receive(p, state, text, clock);
      expect(step.state).toBe(state);
      expect(step.texts).toEqual([]);
      expect(step.events).toEqual([isEnvelope(text) ? { type: 'ignored', reason: expect.any(String) } : { type: 'plain' }]);
    }
    expect(state).toEqual(before);
    // As it was sent, with white space around it, it is taken.
    expect(client.receive(p, state, ` ${here[kind]}\r\n`, clock).events[0]?.type).toBe(
      kind === 'ack' ? 'acknowledged' : 'answer',
    );
  });

  it.each(['hello', 'pay'] as const)('is refused by the server, whose state stays: %s', async (kind) => {
    const parties = kind === 'hello' ? new Parties() : here.waiting;
    const before = parties.server.fingerprint();
    for (const text of [...flipped(here[kind]), ...deformed(here[kind])]) expect(await parties.serve(text)).toEqual([]);
    // Nor as it was sent, from another number.
    expect(await parties.serve(here[kind], NUMBER + 1n)).toEqual([]);
    expect(parties.server.fingerprint()).toBe(before);
    expect(await parties.serve(here[kind])).toHaveLength(1);
    expect(parties.server.fingerprint()).not.toBe(before);
  });

  it('any string is refused without a throw', async () => {
    const { parties } = here;
    const alphabet = Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
    const envelopes = fc
      .tuple(fc.constantFrom('H', 'K', 'C', 'D', 'S', 'T'), fc.constantFrom(159, 303))
      .chain(([kind, length]) =>
        fc.array(fc.constantFrom(...alphabet), { minLength: length, maxLength: length }).map((chars) => kind + chars.join('')),
      );
    const before = parties.server.fingerprint();
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), envelopes), async (text) => {
        expect(client.receive(p, parties.state, text, parties.clock()).state).toBe(parties.state);
        expect(client.receive(p, here.registering.state, text, parties.clock()).state).toBe(here.registering.state);
        expect(await parties.serve(text)).toEqual([]);
      }),
      { numRuns: 150 },
    );
    expect(parties.server.fingerprint()).toBe(before);
  });
});

describe('a message in the right seal', () => {
  it('signed by another key than the certificate is refused', async () => {
    const parties = await new Parties().registered();
    const { epochs } = parties.session();
    const [epoch] = epochs;
    if (!epoch) throw new Error('no epoch');
    // Whoever stole the session store, and not the signing key.
    const stolen = { ...epoch, send: { ck: epoch.receive.ck, next: epoch.receive.next } };
    const other = certificateOf(2);
    const notice = encodeServerBody({ type: 'notice', re: 0xffff, text: 'send it back' });
    const forge = async (serial: Uint8Array, secret: Uint8Array, body: Uint8Array) => {
      const sign = { sign: async (_: Uint8Array, message: Uint8Array) => p.ed25519.sign(secret, message) };
      const sealed = await sealForClient(p, sign, serial, NUMBER, stolen, body);
      if (!sealed) throw new Error('worn out');
      return client.receive(p, parties.state, sealed.text, parties.clock());
    };
    const forged = await forge(parties.own.certificate.serial, other.secrets.signSecret, notice);
    expect(forged).toEqual({ state: parties.state, texts: [], events: [{ type: 'ignored', reason: 'not_ours' }] });
    const unknown = await forge(other.certificate.serial, other.secrets.signSecret, notice);
    expect(unknown.events).toEqual([{ type: 'ignored', reason: 'unknown_certificate' }]);
    const signed = await forge(parties.own.certificate.serial, parties.own.secrets.signSecret, notice);
    expect(signed.events).toMatchObject([{ type: 'message', body: { text: 'send it back' } }]);
    // What the app cannot read still uses its counter.
    const unreadable = await forge(parties.own.certificate.serial, parties.own.secrets.signSecret, new Uint8Array(36).fill(0x7f));
    expect(unreadable.events).toMatchObject([{ type: 'unreadable' }]);
    expect(unreadable.state.sessions[0]?.epochs[0]?.receive.next).toBe(2);
  });

  it('of one direction is none of the other', () => {
    const keys = { th: p.random(32), rk: p.random(32), ckC: p.random(32), ckS: p.random(32) };
    expect(serverEpoch(0, keys).send.ck).toBe(keys.ckS);
  });
});
