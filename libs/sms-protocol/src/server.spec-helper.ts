import { inspect } from 'node:util';
import { type ClientBody, decodeClientBody, encodeServerBody, ERROR, ROLE, type ServerBody } from './bodies.ts';
import { ascii, equal, toHex } from './bytes.ts';
import { stepOver } from './chain.ts';
import { answerHello, openHello } from './handshake.ts';
import { commandId, type Epoch, headOf, openFromClient, sealForClient, serverEpoch } from './messages.ts';
import type { Agree, Primitives, Sign } from './primitives.ts';
import { nextKeys } from './rekey.ts';
import { type Envelope, readEnvelope, stripped } from './text.ts';
import type { Certificate } from './trust.ts';

const DAY = 24 * 3600;
/** How old a command may be. */
export const FRESH = 10 * 60;

interface Reply {
  digest: string;
  text?: string;
  again: number;
  at: number;
}
interface Session {
  sid: Uint8Array;
  msisdn: bigint;
  phase: 'pending' | 'active' | 'gone';
  /** The newest first; the first only receives until `isOpened`. */
  epochs: Epoch[];
  isOpened: boolean;
  oldUntil: number;
  rekeyDemanded: boolean;
  rekeyN: number;
  replies: Map<string, Reply>;
  /** Texts that were sent, by epoch and counter. */
  texts: Map<string, string>;
}

/**
 * A server as docs/protocol.md says, without limits on what it sends, with one account of which payments are taken. Everything is kept in
 * plain fields: `snapshot` and `restore` are a database's.
 */
export class ModelServer {
  readonly #p: Primitives;
  readonly #keys: Agree & Sign;
  readonly #certificate: Certificate;
  balance = 1_000_000n;
  /** Each payment that was made: the command, when, and what the sender meant by it. */
  payments: { id: string; at: number; memo: string }[] = [];
  #hellos = new Map<string, string>();
  #sessions: Session[] = [];

  constructor(p: Primitives, keys: Agree & Sign, certificate: Certificate) {
    this.#p = p;
    this.#keys = keys;
    this.#certificate = certificate;
  }

  /** What a database would hold of the sessions; payments are elsewhere. */
  snapshot = () => structuredClone({ hellos: this.#hellos, sessions: this.#sessions });
  restore(old: ReturnType<ModelServer['snapshot']>): void {
    const { hellos, sessions } = structuredClone(old);
    this.#hellos = hellos;
    this.#sessions = sessions;
    for (const session of sessions) {
      session.rekeyDemanded = true;
      session.epochs = session.epochs.map((epoch) => Object.assign(epoch, { send: stepOver(this.#p, epoch.send, 1000) }));
    }
  }

  /** The texts that go back to `from`. */
  async take(text: string, from: bigint, now: number): Promise<string[]> {
    const envelope = readEnvelope(text);
    if (!envelope) return [];
    const digest = toHex(this.#p.sha256(ascii(stripped(text))));
    if (envelope.kind === 'H') return this.#takeHello(envelope, digest, from, now);
    if (envelope.kind !== 'C' && envelope.kind !== 'D') return [];
    const { sid } = headOf(envelope);
    const session = this.#sessions.find((each) => equal(each.sid, sid) && each.msisdn === from && each.phase !== 'gone');
    return session ? this.#takeMessage(session, envelope, digest, now) : [];
  }

  /** A message that nobody asked for. */
  async tell(body: ServerBody): Promise<string[]> {
    const session = this.#sessions.find(({ phase }) => phase === 'active');
    if (!session) return [];
    if (body.type === 'notice' && body.text === '') session.rekeyDemanded = true;
    return [await this.#seal(session, session.isOpened ? 0 : 1, body)];
  }

  /** Everything that a text could change. */
  readonly #stateOf = (session: Session) => inspect(session, { depth: 9, maxArrayLength: null });
  fingerprint = () => this.#sessions.map(this.#stateOf).join() + this.balance + this.payments.length + this.#hellos.size;

  async #takeHello(envelope: Envelope, digest: string, from: bigint, now: number): Promise<string[]> {
    const known = this.#hellos.get(digest);
    if (known) return [known];
    const p = this.#p;
    const opened = await openHello(p, this.#keys, this.#certificate, envelope, from);
    if (opened.result !== 'hello') return [];
    const sid = p.random(4);
    const answer = await answerHello(p, this.#keys, this.#certificate, opened, {
      sid,
      msisdn: from,
      time: now,
      trustVersion: 1,
      flags: 2,
      pinTries: 0xff,
      currency: 'USD',
      name: opened.body.name,
    });
    if (!answer) return [];
    this.#hellos.set(digest, answer.text);
    this.#sessions.unshift({
      sid,
      msisdn: from,
      phase: 'pending',
      epochs: [serverEpoch(0, answer.keys)],
      isOpened: true,
      oldUntil: Infinity,
      rekeyDemanded: false,
      rekeyN: -1,
      replies: new Map(),
      texts: new Map(),
    });
    return [answer.text];
  }

  async #takeMessage(session: Session, envelope: Envelope, digest: string, now: number): Promise<string[]> {
    if (now >= session.oldUntil) session.epochs = session.epochs.slice(0, 1);
    for (const [at, epoch] of session.epochs.entries()) {
      const opened = openFromClient(this.#p, session.sid, epoch, envelope, now);
      const key = `${epoch.epoch}:${headOf(envelope).n}`;
      const known = session.replies.get(key);
      if (known?.digest === digest) {
        if (!known.text || known.again >= 3 || now < known.at + 120) return [];
        known.again += 1;
        known.at = now;
        return [known.text];
      }
      if (opened.result === 'refused' || known) continue;
      const decoded = decodeClientBody(opened.body);
      const isConfirm = decoded.result === 'body' && decoded.body.type === 'confirm';
      session.epochs[at] = opened.epoch;
      if (session.phase === 'pending' && !isConfirm) return [];
      if (at === 0 && !session.isOpened) {
        session.isOpened = true;
        session.oldUntil = now + 7 * DAY;
        session.rekeyN = -1;
      }
      const reply: Reply = { digest, again: 0, at: now };
      session.replies.set(key, reply);
      const { n } = opened;
      if (decoded.result !== 'body') {
        reply.text = await this.#seal(session, at, { type: 'error', re: n, code: ERROR.malformed, arg: 0n });
        return [reply.text];
      }
      if (decoded.body.type === 'ask') return this.#answerAsk(session, epoch.epoch, at, n, decoded.body.counters);
      if (decoded.body.type === 'rekey') return this.#rekey(session, at, n, decoded.body.publicKey, reply);
      const answer = this.#answer(session, commandId(epoch.th, n), n, decoded.body, decoded.tail.time, now);
      reply.text = await this.#seal(session, at, answer);
      return [reply.text];
    }
    return [];
  }

  async #answerAsk(session: Session, epoch: number, at: number, n: number, counters: number[]): Promise<string[]> {
    const found = counters.map((counter) => session.texts.get(`${epoch}:${counter}`));
    const texts = found.filter((text) => text !== undefined);
    const first = counters.find((_, i) => found[i] === undefined);
    if (first === undefined) return texts;
    return [...texts, await this.#seal(session, at, { type: 'error', re: n, code: ERROR.unknownReference, arg: BigInt(first) })];
  }

  async #rekey(session: Session, at: number, n: number, ecPub: Uint8Array, reply: Reply): Promise<string[]> {
    const epoch = session.epochs[at];
    const isOfCurrent = epoch && at === (session.isOpened ? 0 : 1);
    // One of the old epoch once the new one is in use, or one with a lower counter: no answer.
    if (!isOfCurrent || (!session.isOpened && n <= session.rekeyN)) return [];
    const secret = this.#p.random(32);
    const keys = nextKeys(this.#p, epoch, secret, ecPub, 'server');
    if (!keys) {
      reply.text = await this.#seal(session, at, { type: 'error', re: n, code: ERROR.malformed, arg: 0n });
      return [reply.text];
    }
    const publicKey = this.#p.x25519.publicKey(secret);
    reply.text = await this.#seal(session, at, { type: 'rekey_ack', re: n, publicKey });
    const sealed = session.epochs[at];
    if (!sealed) return [];
    session.epochs = [serverEpoch(epoch.epoch + 1, keys), sealed];
    session.isOpened = false;
    session.oldUntil = Infinity;
    session.rekeyN = n;
    session.rekeyDemanded = false;
    return [reply.text];
  }

  #answer(session: Session, id: string, re: number, body: ClientBody, time: number, now: number): ServerBody {
    const { balance } = this;
    const error = (code: number, arg = 0n): ServerBody => ({ type: 'error', re, code, arg });
    if (body.type === 'confirm') {
      if (session.phase === 'active') return error(ERROR.notNow);
      // All that were acknowledged before it end, so that a CONFIRM that was held back brings none of them back.
      for (const each of this.#sessions.slice(this.#sessions.indexOf(session) + 1)) each.phase = 'gone';
      session.phase = 'active';
      return { type: 'welcome', re, balance, flags: 0 };
    }
    if (body.type === 'balance') return { type: 'balance_is', re, balance, held: 0n, time: now };
    if (body.type !== 'pay') return error(ERROR.notNow);
    if (session.rekeyDemanded) return error(ERROR.rekeyFirst);
    if (time === 0 || time < now - FRESH || time > now + 3600) return error(ERROR.tooLate, BigInt(now));
    if (body.amount > balance) return error(ERROR.balanceTooLow, balance);
    const receipt = (tx: number, balanceNow: bigint, amount: bigint): ServerBody => {
      return {
        type: 'receipt',
        re,
        role: ROLE.paid,
        tx,
        amount,
        fee: 0n,
        balance: balanceNow,
        time: now,
        label: '0002',
        memo: '',
      };
    };
    const made = this.payments.findIndex((payment) => payment.id === id);
    if (made >= 0) return receipt(made + 1, balance, body.amount);
    this.balance -= body.amount;
    this.payments.push({ id, at: now, memo: body.memo });
    return receipt(this.payments.length, this.balance, body.amount);
  }

  async #seal(session: Session, at: number, body: ServerBody): Promise<string> {
    const epoch = session.epochs[at];
    const sealed =
      epoch &&
      (await sealForClient(this.#p, this.#keys, this.#certificate.serial, session.msisdn, epoch, encodeServerBody(body)));
    if (!sealed) throw new Error('worn out');
    session.epochs[at] = sealed.epoch;
    session.texts.set(`${sealed.epoch.epoch}:${sealed.n}`, sealed.text);
    return sealed.text;
  }
}
