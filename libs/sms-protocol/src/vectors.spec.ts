import { describe, expect, it } from '@jest/globals';
import {
  decodeAck,
  decodeClientBody,
  decodeHello,
  decodeServerBody,
  encodeAck,
  encodeClientBody,
  encodeHello,
  encodeServerBody,
} from './bodies.ts';
import { ascii, padded, toHex } from './bytes.ts';
import { step } from './chain.ts';
import { answerHello, openHello, readAck, sayHello, serialOfHello } from './handshake.ts';
import { clientEpoch, openFromClient, openFromServer, sealForClient, sealForServer, serverEpoch } from './messages.ts';
import { noble } from './noble.ts';
import { keysInMemory, node } from './node.ts';
import { verifyReceipt } from './receipt.ts';
import { nextKeys } from './rekey.ts';
import { open, seal } from './seal.ts';
import { fromBase62, isEnvelope, readEnvelope, toBase62 } from './text.ts';
import { serialOf, withAdded, withRevoked } from './trust.ts';
import { bytes, certificate, secrets, vectors } from './vectors.spec-helper.ts';

const [hello, ack, ...messages] = vectors.messages;
if (!hello || !ack) throw new Error('no handshake among the vectors');
const msisdn = BigInt(vectors.msisdn);
const envelope = (text: string) => {
  const found = readEnvelope(text);
  if (!found) throw new Error(`no envelope: ${text}`);
  return found;
};
const hexOf = (keys: object) => Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, toHex(key as Uint8Array)]));

describe.each([
  ['noble', noble],
  ['node:crypto', node],
])('the vectors of docs/protocol.md with %s', (_, p) => {
  const keys = keysInMemory([{ serial: certificate.serial, signSecret: secrets.sign, dhSecret: secrets.dh }]);

  it('base 62', () => {
    for (const { hex, text } of vectors.base62) {
      expect(toBase62(bytes(hex))).toBe(text);
      expect(fromBase62(text)).toEqual(bytes(hex));
    }
  });

  it('seal', () => {
    for (const { key, aad, plain, t, box } of vectors.seal) {
      expect(toHex(seal(p, bytes(key), bytes(aad), bytes(plain), t))).toBe(box);
      expect(open(p, bytes(key), bytes(aad), bytes(box), t)).toEqual(bytes(plain));
    }
  });

  it('chain, certificate and the secrets of the vectors', () => {
    const { mk, ck } = step(p, bytes(vectors.chain.ck));
    expect(hexOf({ mk, next: ck })).toEqual({ mk: vectors.chain.mk, next: vectors.chain.next });
    expect(p.ed25519.publicKey(secrets.sign)).toEqual(certificate.signPub);
    expect(p.x25519.publicKey(secrets.dh)).toEqual(certificate.dhPub);
    expect(serialOf(p, certificate.signPub, certificate.dhPub)).toEqual(certificate.serial);
    expect(p.sha256(ascii('smspay/1 test vector client ephemeral'))).toEqual(secrets.ec);
  });

  it('all 28 messages and each value on the way, from both sides', async () => {
    const helloBody = decodeHello(padded(bytes(hello.body), 62));
    const ackBody = decodeAck(padded(bytes(ack.body), 113));
    if (!helloBody || !ackBody) throw new Error('the bodies of the handshake do not read');
    expect(toHex(encodeHello(helloBody))).toBe(toHex(padded(bytes(hello.body), 62)));
    expect(toHex(encodeAck(ackBody))).toBe(toHex(padded(bytes(ack.body), 113)));

    const sent = sayHello(p, certificate, helloBody, secrets.ec);
    if (!sent) throw new Error('no HELLO');
    expect(sent.text).toBe(hello.text);
    expect(hexOf({ ck1: sent.ck1, h3: sent.h3 })).toEqual({ ck1: vectors.handshake.ck1, h3: vectors.handshake.h3 });
    expect(serialOfHello(envelope(hello.text))).toEqual(certificate.serial);
    const opened = await openHello(p, keys, certificate, envelope(hello.text), msisdn);
    if (opened.result !== 'hello') throw new Error(opened.reason);
    expect(opened.body).toEqual(helloBody);
    expect(toHex(opened.ecPub)).toBe(vectors.handshake.ecPub);
    const answer = await answerHello(p, keys, certificate, opened, ackBody, secrets.es);
    if (!answer) throw new Error('no HELLO-ACK');
    expect(answer.text).toBe(ack.text);
    const read = readAck(p, sent, certificate, envelope(ack.text));
    if (read.result !== 'session') throw new Error(read.reason);
    expect(read.ack).toEqual(ackBody);
    expect(read.keys).toEqual(answer.keys);
    const { th, rk, ckC2S: ckC, ckS2C: ckS } = vectors.handshake;
    expect(hexOf(read.keys)).toEqual({ th, rk, ckC, ckS });

    let client = clientEpoch(0, read.keys);
    let server = serverEpoch(0, answer.keys);
    for (const { name, dir, body, text, segments, counter, signature } of messages) {
      expect(isEnvelope(text)).toBe(true);
      expect([name, text.length]).toEqual([name, segments === 1 ? 160 : 304]);
      if (dir === 'C>S') {
        const whole = padded(bytes(body), 96);
        const said = decodeClientBody(whole);
        if (said.result !== 'body') throw new Error(`${name} does not read`);
        expect([name, toHex(encodeClientBody(said.body, said.tail))]).toEqual([name, toHex(whole)]);
        const sealed = sealForServer(p, ackBody.sid, client, whole);
        if (!sealed) throw new Error('worn out');
        expect([name, sealed.n, sealed.text]).toEqual([name, counter, text]);
        client = sealed.epoch;
        const received = openFromClient(p, ackBody.sid, server, envelope(text), 0);
        if (received.result !== 'opened') throw new Error(`${name}: ${received.reason}`);
        expect(toHex(received.body)).toBe(toHex(whole));
        server = received.epoch;
      } else {
        const whole = padded(bytes(body), segments === 1 ? 36 : 143);
        const said = decodeServerBody(whole);
        if (said.result !== 'body') throw new Error(`${name} does not read`);
        expect([name, toHex(encodeServerBody(said.body))]).toEqual([name, toHex(whole)]);
        const sealed = await sealForClient(p, keys, certificate.serial, msisdn, server, whole);
        if (!sealed) throw new Error('worn out');
        expect([name, sealed.n, sealed.text]).toEqual([name, counter, text]);
        server = sealed.epoch;
        const received = openFromServer(p, client, envelope(text), 0);
        if (received.result !== 'opened') throw new Error(`${name}: ${received.reason}`);
        expect(toHex(received.body)).toBe(toHex(whole));
        expect(toHex(received.signature)).toBe(signature);
        const receipt = { msisdn, th: client.th, ...received };
        expect(verifyReceipt(p, receipt, certificate)).toBe(true);
        expect(verifyReceipt(p, { ...receipt, msisdn: msisdn + 1n }, certificate)).toBe(false);
        client = received.epoch;
        const { body: what } = said;
        const list = {
          version: 1,
          ahead: [],
          rootPub: p.ed25519.publicKey(secrets.root),
          builtDay: 0,
          certificates: [],
          revoked: [],
        };
        if (what.type === 'trust_add') expect(withAdded(p, list, what)?.version).toBe(2);
        if (what.type === 'trust_revoke') expect(withRevoked(p, list, what)?.revoked).toEqual([certificate.serial]);
        if (what.type === 'rekey_ack') {
          const ec = p.sha256(ascii('smspay/1 test vector rekey client'));
          const es = p.sha256(ascii('smspay/1 test vector rekey server'));
          const ours = nextKeys(p, client, ec, p.x25519.publicKey(es), 'client');
          const theirs = nextKeys(p, server, es, p.x25519.publicKey(ec), 'server');
          if (!ours || !theirs) throw new Error('no keys');
          expect(ours).toEqual(theirs);
          const next = vectors.rekey;
          expect(hexOf(ours)).toEqual({ th: next.th, rk: next.rk, ckC: next.ckC2S, ckS: next.ckS2C });
          client = clientEpoch(1, ours);
          server = serverEpoch(1, theirs);
        }
      }
    }
  });
});
