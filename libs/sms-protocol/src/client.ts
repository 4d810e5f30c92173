import { type Ack, type ClientBody, decodeServerBody, encodeClientBody, ERROR, type ServerBody, UNSOLICITED } from './bodies.ts';
import { equal } from './bytes.ts';
import { REKEY_BY, stepOver } from './chain.ts';
import { readAck, sayHello, type SentHello } from './handshake.ts';
import { clientEpoch, commandId, type Epoch, openFromServer, type Refusal, sealForServer } from './messages.ts';
import type { Primitives } from './primitives.ts';
import { type Receipt, verifyReceipt } from './receipt.ts';
import { nextKeys, NO_PROOF, transferProof } from './rekey.ts';
import { type Envelope, isEnvelope, readEnvelope } from './text.ts';
import {
  certificateForHello,
  certificateOf,
  dayOf,
  type Distrust,
  mergeTrust,
  type TrustList,
  withAdded,
  withRevoked,
} from './trust.ts';

/**
 * A client as plain data and functions from state to new state: what an app stores in one commit before the texts that come with it leave
 * (docs/protocol.md, "6. Transport"), and when it sends again (docs/protocol.md, "7. Loss, duplicates, reordering"). A text is in the state
 * until it is answered; after a crash between commit and sending, `tick` sends it.
 */

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
/** The identical text again, so long after the first. */
const RESENDS = [3 * MINUTE, 15 * MINUTE, 60 * MINUTE];
/** When an answer is no longer waited for. */
const GIVEN_UP = 120 * MINUTE;
/** Counters left out where a restored state may have used them already. */
const JUMP = 128;
/** Counters ahead of the last answered one: beyond 256 the server would refuse for good. */
const AHEAD_MAX = 240;
/** While nothing is answered, until the day is over. */
const PROBES_APART = 6 * 60 * MINUTE;
const OUTSTANDING_MAX = 16;
const SESSIONS_MAX = 3;
const WAIT = DAY;
const REKEY_MESSAGES = 200;
const REKEY_AFTER = 30 * DAY;
const REKEY_NOT_WITHIN = 7 * DAY;
const OLD_EPOCH_KEPT = 7 * DAY;
const MONEY = new Set<string>(['pay', 'approve', 'cash', 'undo']);

/** The phone's clocks, in seconds. */
export interface Clock {
  /** That people see and set: for waits and ages alone. */
  now: number;
  /** That nobody sets, since `boot`. */
  steady: number;
  /** Another one after each start of the steady clock. */
  boot: string;
}

/** A message whose answer has not come. */
export interface Sent {
  /** `commandId` of it. */
  id: string;
  type: ClientBody['type'];
  epoch: number;
  n: number;
  text: string;
  /** First sent, by the phone's clock. */
  at: number;
  resends: number;
  /** REKEY's. */
  secret?: Uint8Array;
}

export interface ClientSession {
  sid: Uint8Array;
  msisdn: bigint;
  /** `acknowledged`: CONFIRM has not been answered by WELCOME. `replaced`: by a later session; it still receives. */
  phase: 'acknowledged' | 'active' | 'replaced';
  ack: Ack;
  /** The newest first, at most two. */
  epochs: Epoch[];
  /** When the older one is dropped; its chains count from the first message of the newer one. */
  oldUntil?: number;
  /** Root key of the epoch before: a restored server may know only that. */
  previousRk?: Uint8Array;
  sent: Sent[];
  /** Opened and sent since `since`: the last re-key, or the registration. */
  messages: number;
  since: number;
  rekeyDemanded: boolean;
  /** Until then it may only receive, and ask little. */
  waitsUntil: number;
  /** The counter after the last one that was answered, in the newest epoch. */
  answered: number;
  /** Since when nothing is answered, and when BALANCE is next asked only to be answered. */
  silentSince?: number;
  probeAt?: number;
  hasOfferedToRegister: boolean;
  /** As the server told last, by its counter. */
  balance?: { amount: bigint; epoch: number; n: number };
}

/** Plain data: what an app stores. */
export interface ClientState {
  trust: TrustList;
  /** `newest`: verified server time; `base`: the estimate at `steady` of `boot`. 0: not known. */
  time: { newest: number; base: number; steady: number; boot: string };
  hello?: SentHello & { at: number; resends: number };
  /** The newest first, at most three. */
  sessions: ClientSession[];
}

export type ClientEvent =
  /** HELLO-ACK came: the person is asked for the PIN, `confirm` goes on. */
  | { type: 'acknowledged'; ack: Ack }
  /** The ACK is for another number: somebody registered our HELLO from another phone. */
  | { type: 'other_number' }
  /** The first answer to the command with this id. */
  | { type: 'answer'; to: string; command: ClientBody['type']; body: ServerBody; receipt: Receipt }
  /** What nobody waits for; `to`: the command that it is about, if one. */
  | { type: 'message'; to?: string; body: ServerBody; receipt: Receipt }
  /** Signed, but this app is too old for it. */
  | { type: 'unreadable'; receipt: Receipt }
  /** Not for the protocol: a plain text, to be shown as not authenticated. */
  | { type: 'plain' }
  /** Nothing changed. */
  | { type: 'ignored'; reason: Refusal | Distrust }
  | { type: 'rekeyed' }
  /** No answer to the command after its resends; it may still come. */
  | { type: 'unanswered'; to: string; command: ClientBody['type'] | 'hello' }
  /** The server has been silent for a day: offer to register again, with a proof by one of `proofKeys`. */
  | { type: 'register_again' };

/** What to store, then what to send, and what to tell the person. */
export interface Step {
  state: ClientState;
  texts: string[];
  events: ClientEvent[];
}

export type Said =
  | { result: 'sent'; id: string; text: string; state: ClientState }
  /** `update_app`: no certificate counts. `too_many`: wait for answers. `register_again`: the counters are used up, or the server long silent. */
  | { result: 'refused'; reason: 'update_app' | 'no_session' | 'too_many' | 'register_again' };

/** A client that has not registered. */
export const newClient = (trust: TrustList): ClientState => ({
  trust,
  time: { newest: 0, base: 0, steady: 0, boot: '' },
  sessions: [],
});

/** At each start of the app: what its build brings. */
export const withPackaged = (state: ClientState, packaged: TrustList): ClientState => ({
  ...state,
  trust: mergeTrust(state.trust, packaged),
});

// --- Time ------------------------------------------------------------------------------------------------------------------------------------

/** The estimate of the server's time that goes with each message; 0: not known. */
export function serverTime({ time }: ClientState, clock: Clock): number {
  if (time.base === 0 || time.boot !== clock.boot) return time.base;
  return Math.min(0xffffffff, time.base + Math.max(0, Math.floor(clock.steady - time.steady)));
}

/** The day by which certificates are held. */
export const today = ({ trust, time }: ClientState) => Math.max(trust.builtDay, dayOf(time.newest));

function learnTime(state: ClientState, time: number, clock: Clock, maySetBack: boolean): ClientState {
  const newest = Math.max(state.time.newest, time);
  if (!maySetBack && time <= serverTime(state, clock)) return { ...state, time: { ...state.time, newest } };
  return { ...state, time: { newest, base: time, steady: clock.steady, boot: clock.boot } };
}

// --- Registration ----------------------------------------------------------------------------------------------------------------------------

export interface Registrant {
  app: number;
  msisdn: bigint;
  language: string;
  name: string;
}

/** HELLO; a new one replaces an unanswered one. RangeError for values that their fields cannot hold: a name of more than 41 bytes. */
export function register(p: Primitives, state: ClientState, who: Registrant, clock: Clock): Said {
  const certificate = certificateForHello(state.trust, today(state));
  const body = { ...who, trustVersion: state.trust.version, flags: 0, time: serverTime(state, clock) };
  const hello = certificate && sayHello(p, certificate, body);
  if (!hello) return { result: 'refused', reason: 'update_app' };
  return { result: 'sent', id: 'hello', text: hello.text, state: { ...state, hello: { ...hello, at: clock.now, resends: 0 } } };
}

/** CONFIRM of the session that was acknowledged last. `proofOf`: a root key of the session that this one takes over. */
export function confirm(p: Primitives, state: ClientState, pin: string, clock: Clock, proofOf?: Uint8Array): Said {
  const session = state.sessions.find(({ phase }) => phase === 'acknowledged');
  if (!session) return { result: 'refused', reason: 'no_session' };
  const th = newestOf(session).th;
  return say(
    p,
    state,
    session,
    { type: 'confirm', pin, transferProof: proofOf ? transferProof(p, proofOf, th) : NO_PROOF },
    clock,
  );
}

/** Root keys that prove the old session to a new one, the likeliest first; as a QR code on the old phone. */
export function proofKeys(state: ClientState): Uint8Array[] {
  const session = state.sessions.find(({ phase }) => phase !== 'acknowledged');
  if (!session) return [];
  const { rk } = newestOf(session);
  return session.previousRk ? [rk, session.previousRk] : [rk];
}

// --- Commands --------------------------------------------------------------------------------------------------------------------------------

/** The session that commands go to: one that waits only if there is no other. */
export function sendingSession({ sessions }: ClientState, clock: Clock): ClientSession | undefined {
  const active = sessions.filter(({ phase }) => phase === 'active');
  return active.find(({ waitsUntil }) => waitsUntil <= clock.now) ?? active[0];
}

/** RangeError for values that their fields cannot hold. */
export function command(p: Primitives, state: ClientState, body: ClientBody, clock: Clock): Said {
  const session = sendingSession(state, clock);
  return session ? say(p, state, session, body, clock) : { result: 'refused', reason: 'no_session' };
}

/** Counters of messages that were passed over and may still be asked for: ASK names at most four. */
export const missing = (session: ClientSession): number[] => newestOf(session).receive.skipped.map(({ n }) => n);

function newestOf({ epochs }: ClientSession): Epoch {
  const [newest] = epochs;
  if (!newest) throw new Error('a session without an epoch');
  return newest;
}

/** The state with this session in place of what it was. */
const withSession = (state: ClientState, session: ClientSession): ClientState => ({
  ...state,
  sessions: state.sessions.map((each) => (equal(each.sid, session.sid) ? session : each)),
});

function sessionOf({ sessions }: ClientState, sid: Uint8Array): ClientSession {
  const found = sessions.find((each) => equal(each.sid, sid));
  if (!found) throw new Error('no such session');
  return found;
}

function say(
  p: Primitives,
  state: ClientState,
  session: ClientSession,
  body: ClientBody,
  clock: Clock,
  secret?: Uint8Array,
): Said {
  if (session.sent.length >= OUTSTANDING_MAX) return { result: 'refused', reason: 'too_many' };
  const newest = newestOf(session);
  if (newest.send.next - session.answered > AHEAD_MAX) return { result: 'refused', reason: 'register_again' };
  const tail = { trustVersion: state.trust.version, time: serverTime(state, clock) };
  const sealed = sealForServer(p, session.sid, newest, encodeClientBody(body, tail));
  if (!sealed) return { result: 'refused', reason: 'register_again' };
  const { n, text } = sealed;
  const id = commandId(newest.th, n);
  const sent: Sent = { id, type: body.type, epoch: newest.epoch, n, text, at: clock.now, resends: 0, ...(secret && { secret }) };
  const next: ClientSession = {
    ...session,
    epochs: [sealed.epoch, ...session.epochs.slice(1)],
    messages: session.messages + 1,
    // What ASK asks for says nothing of ASK, and a replayed one is not answered: it is not sent again.
    sent: body.type === 'ask' ? session.sent : [...session.sent, sent],
  };
  return { result: 'sent', id, text, state: withSession(state, next) };
}

/** `say` of what nobody asked for: a refusal leaves all as it was. */
function saySelf(p: Primitives, step: Step, session: ClientSession, body: ClientBody, clock: Clock, secret?: Uint8Array): Step {
  const said = say(p, step.state, session, body, clock, secret);
  return said.result === 'sent' ? { ...step, state: said.state, texts: [...step.texts, said.text] } : step;
}

// --- What comes in ---------------------------------------------------------------------------------------------------------------------------

/** Any text from the server's number. */
export function receive(p: Primitives, state: ClientState, text: string, clock: Clock): Step {
  if (!isEnvelope(text)) return { state, texts: [], events: [{ type: 'plain' }] };
  const envelope = readEnvelope(text);
  if (!envelope) return ignored(state, 'not_ours');
  if (envelope.kind === 'K') return receiveAck(p, state, envelope, clock);
  let reason: Refusal | Distrust = 'not_ours';
  for (const session of state.sessions) {
    for (const epoch of session.epochs) {
      const opened = openFromServer(p, epoch, envelope, clock.now);
      if (opened.result === 'refused') {
        if (reason === 'not_ours') ({ reason } = opened);
        continue;
      }
      const { n, serial, signature, body } = opened;
      const certificate = certificateOf(state.trust, serial, today(state));
      if (typeof certificate === 'string') return ignored(state, certificate);
      const receipt = { msisdn: session.msisdn, th: epoch.th, n, serial, body, signature };
      if (!verifyReceipt(p, receipt, certificate)) return ignored(state, 'not_ours');
      return withoutOlder(take(p, state, session, opened.epoch, receipt, clock), clock);
    }
  }
  return ignored(state, reason);
}

const ignored = (state: ClientState, reason: Refusal | Distrust): Step => ({
  state,
  texts: [],
  events: [{ type: 'ignored', reason }],
});

function receiveAck(p: Primitives, state: ClientState, envelope: Envelope, clock: Clock): Step {
  const { hello } = state;
  if (!hello) return ignored(state, 'not_ours');
  const certificate = certificateOf(state.trust, hello.serial, today(state));
  if (typeof certificate === 'string') return ignored(state, certificate);
  const read = readAck(p, hello, certificate, envelope);
  if (read.result === 'refused') {
    return read.reason === 'other_number' ? { state, texts: [], events: [{ type: 'other_number' }] } : ignored(state, 'not_ours');
  }
  const { ack, keys } = read;
  const session: ClientSession = {
    sid: ack.sid,
    msisdn: ack.msisdn,
    phase: 'acknowledged',
    ack,
    epochs: [clientEpoch(0, keys)],
    sent: [],
    messages: 0,
    since: clock.now,
    rekeyDemanded: false,
    waitsUntil: 0,
    answered: 0,
    hasOfferedToRegister: false,
  };
  const { hello: _, ...rest } = state;
  // Of too many the oldest goes that was never confirmed, else the oldest.
  const others = state.sessions.slice();
  if (others.length === SESSIONS_MAX) {
    const unconfirmed = others.map(({ phase }) => phase).lastIndexOf('acknowledged');
    others.splice(unconfirmed === -1 ? SESSIONS_MAX - 1 : unconfirmed, 1);
  }
  const next = learnTime({ ...rest, sessions: [session, ...others] }, ack.time, clock, false);
  return { state: next, texts: [], events: [{ type: 'acknowledged', ack }] };
}

/** A message that opened, signed by a certificate that counts. */
function take(p: Primitives, state: ClientState, session: ClientSession, epoch: Epoch, receipt: Receipt, clock: Clock): Step {
  const isNewest = epoch.epoch === newestOf(session).epoch;
  const heard: ClientSession = {
    ...session,
    epochs: session.epochs.map((each) => (each.epoch === epoch.epoch ? epoch : each)),
    messages: session.messages + 1,
  };
  if (isNewest && session.epochs.length > 1) heard.oldUntil = session.oldUntil ?? clock.now + OLD_EPOCH_KEPT;
  const decoded = decodeServerBody(receipt.body);
  if (decoded.result !== 'body') {
    return { state: withSession(state, heard), texts: [], events: [{ type: 'unreadable', receipt }] };
  }
  const { body } = decoded;
  const question =
    body.re === UNSOLICITED ? undefined : heard.sent.find((each) => each.epoch === epoch.epoch && each.n === body.re);
  if (body.re !== UNSOLICITED) {
    delete heard.silentSince;
    delete heard.probeAt;
    heard.hasOfferedToRegister = false;
    if (isNewest) heard.answered = Math.max(heard.answered, body.re + 1);
  }
  if (question) heard.sent = heard.sent.filter((each) => each !== question);
  noteBalance(heard, body, epoch.epoch, receipt.n);
  if (body.type === 'welcome') {
    heard.phase = 'active';
    heard.waitsUntil = (body.flags & 1) === 0 ? 0 : clock.now + WAIT;
  }
  if (body.type === 'error' && body.code === ERROR.receivingOnly)
    heard.waitsUntil = clock.now + Math.min(Number(body.arg) * MINUTE, WAIT);
  const demandsRekey = body.type === 'error' ? body.code === ERROR.rekeyFirst : body.type === 'notice' && body.text === '';
  // What the older epoch demanded has been done.
  if (demandsRekey && isNewest) heard.rekeyDemanded = true;

  let next = noteTime(withSession(state, heard), body, question, clock);
  const event: ClientEvent = question
    ? { type: 'answer', to: question.id, command: question.type, body, receipt }
    : { type: 'message', ...(body.re !== UNSOLICITED && { to: commandId(epoch.th, body.re) }), body, receipt };
  if (body.type === 'trust_add') next = { ...next, trust: withAdded(p, next.trust, body) ?? next.trust };
  if (body.type === 'trust_revoke') next = { ...next, trust: withRevoked(p, next.trust, body) ?? next.trust };
  const step: Step = { state: next, texts: [], events: [event] };
  if (heard.phase === 'acknowledged') return confirming(p, step, heard, body, clock);
  if (body.type === 'rekey_ack' && question?.secret) return rekeyed(p, step, heard, body.publicKey, question.secret, clock);
  return heard.rekeyDemanded ? startRekey(p, step, heard, clock) : step;
}

/** An answer that is no WELCOME, before one came. */
function confirming(p: Primitives, step: Step, session: ClientSession, body: ServerBody, clock: Clock): Step {
  const become = (next: ClientSession) => ({ ...step, state: withSession(step.state, next) });
  // WELCOME was lost: only an active session is told anything else.
  if (body.type !== 'error') return become({ ...session, phase: 'active' });
  // The third wrong PIN ended it.
  if (body.code === ERROR.wrongPin && body.arg === 0n) return become(replaced(session));
  // Perhaps it is active already: BALANCE is answered only then.
  return body.code === ERROR.notNow ? saySelf(p, step, session, { type: 'balance' }, clock) : step;
}

function noteBalance(session: ClientSession, body: ServerBody, epoch: number, n: number): void {
  if (!('balance' in body)) return;
  const { balance: known } = session;
  const isNewer = !known || epoch > known.epoch || (epoch === known.epoch && n > known.n);
  if (isNewer) session.balance = { amount: body.balance, epoch, n };
}

function noteTime(state: ClientState, body: ServerBody, question: Sent | undefined, clock: Clock): ClientState {
  if (body.type === 'receipt' || body.type === 'balance_is') return learnTime(state, body.time, clock, false);
  if (body.type === 'error' && body.code === ERROR.tooLate && question && MONEY.has(question.type) && body.arg <= 0xffffffffn) {
    return learnTime(state, Number(body.arg), clock, true);
  }
  return state;
}

/** It still receives, and waits for nothing. */
function replaced(session: ClientSession): ClientSession {
  const over: ClientSession = { ...session, phase: 'replaced', sent: [] };
  delete over.silentSince;
  delete over.probeAt;
  return over;
}

/** Sessions that are older than an active one which does not wait have ended at the server, whichever WELCOME came first. */
function withoutOlder(step: Step, clock: Clock): Step {
  const { sessions } = step.state;
  const at = sessions.findIndex(({ phase, waitsUntil }) => phase === 'active' && waitsUntil <= clock.now);
  const isOver = ({ phase }: ClientSession, i: number) => at >= 0 && i > at && phase !== 'replaced';
  const over = sessions.filter(isOver);
  if (over.length === 0) return step;
  const state = { ...step.state, sessions: sessions.map((each, i) => (isOver(each, i) ? replaced(each) : each)) };
  return { ...step, state, events: over.reduce((events, { sent }) => events.concat(sent.map(unanswered)), step.events) };
}

// --- Re-key ----------------------------------------------------------------------------------------------------------------------------------

function startRekey(p: Primitives, step: Step, session: ClientSession, clock: Clock): Step {
  if (session.phase !== 'active' || session.sent.some(({ type }) => type === 'rekey')) return step;
  const secret = p.random(32);
  return saySelf(p, step, session, { type: 'rekey', publicKey: p.x25519.publicKey(secret) }, clock, secret);
}

function rekeyed(
  p: Primitives,
  step: Step,
  session: ClientSession,
  publicKey: Uint8Array,
  secret: Uint8Array,
  clock: Clock,
): Step {
  const old = newestOf(session);
  const keys = nextKeys(p, old, secret, publicKey, 'client');
  if (!keys) return step;
  const { oldUntil: _, ...rest } = session;
  const next: ClientSession = {
    ...rest,
    epochs: [clientEpoch(old.epoch + 1, keys), old],
    previousRk: old.rk,
    messages: 0,
    since: clock.now,
    rekeyDemanded: false,
    answered: 0,
  };
  const state = withSession(step.state, next);
  return saySelf(p, { ...step, state, events: [...step.events, { type: 'rekeyed' }] }, next, { type: 'balance' }, clock);
}

function isRekeyDue(session: ClientSession, clock: Clock): boolean {
  // Where nothing is heard, one more question is of no use.
  if (session.phase !== 'active' || session.silentSince !== undefined) return false;
  const { epoch, send, receive: incoming } = newestOf(session);
  if (session.rekeyDemanded || send.next >= REKEY_BY || incoming.next >= REKEY_BY) return true;
  if (epoch > 0 && clock.now < session.since + REKEY_NOT_WITHIN) return false;
  return session.messages >= REKEY_MESSAGES || clock.now >= session.since + REKEY_AFTER;
}

// --- Time passes -----------------------------------------------------------------------------------------------------------------------------

/** What is due by the clock: at each start of the app, and every minute or so while something waits. */
export function tick(p: Primitives, state: ClientState, clock: Clock): Step {
  const begin = withoutOlder(tickHello({ state, texts: [], events: [] }, clock), clock);
  return state.sessions.reduce((step, { sid }) => tickSession(p, step, sid, clock), begin);
}

const isResendDue = ({ at, resends }: { at: number; resends: number }, clock: Clock) =>
  clock.now >= at + (RESENDS[resends] ?? Infinity);
const sentAgain = (sent: Sent): Sent => ({ ...sent, resends: sent.resends + 1 });
const unanswered = ({ id, type }: Sent): ClientEvent => ({ type: 'unanswered', to: id, command: type });

function tickHello(step: Step, clock: Clock): Step {
  const { hello: sent, ...state } = step.state;
  if (!sent) return step;
  const hello = { ...sent, at: Math.min(sent.at, clock.now) };
  if (clock.now >= hello.at + DAY) {
    return { ...step, state, events: [...step.events, { type: 'unanswered', to: 'hello', command: 'hello' }] };
  }
  if (!isResendDue(hello, clock)) return { ...step, state: { ...state, hello } };
  return { ...step, state: { ...state, hello: { ...hello, resends: hello.resends + 1 } }, texts: [...step.texts, hello.text] };
}

/** As it would be if the phone's clock had always been no later than now: whoever sets it back must not make us wait for it. */
function setBack(session: ClientSession, { now }: Clock): ClientSession {
  const noLater = (sent: Sent): Sent => (sent.at > now ? { ...sent, at: now } : sent);
  const back: ClientSession = {
    ...session,
    sent: session.sent.map(noLater),
    since: Math.min(session.since, now),
    waitsUntil: Math.min(session.waitsUntil, now + WAIT),
  };
  if (back.silentSince !== undefined) back.silentSince = Math.min(back.silentSince, now);
  if (back.probeAt !== undefined) back.probeAt = Math.min(back.probeAt, now + PROBES_APART);
  if (back.oldUntil !== undefined) back.oldUntil = Math.min(back.oldUntil, now + OLD_EPOCH_KEPT);
  return back;
}

function tickSession(p: Primitives, begin: Step, sid: Uint8Array, clock: Clock): Step {
  const session = setBack(sessionOf(begin.state, sid), clock);
  if (session.oldUntil !== undefined && session.oldUntil <= clock.now) {
    session.epochs = [newestOf(session)];
    delete session.oldUntil;
  }
  const isOver = ({ at, epoch }: Sent) => clock.now >= at + GIVEN_UP || !session.epochs.some((each) => each.epoch === epoch);
  const given = session.sent.filter(isOver);
  const waiting = session.sent.filter((each) => !isOver(each));
  const due = waiting.filter((each) => isResendDue(each, clock));
  session.sent = waiting.map((each) => (due.includes(each) ? sentAgain(each) : each));
  let events = begin.events.concat(given.map(unanswered));
  const texts = begin.texts.concat(due.map(({ text }) => text));

  const [first] = given;
  if (first && session.phase === 'active' && session.silentSince === undefined) {
    session.silentSince = first.at;
    session.probeAt = clock.now;
    session.epochs = [jumped(p, newestOf(session), first, session.answered), ...session.epochs.slice(1)];
  }
  if (session.silentSince !== undefined && clock.now >= session.silentSince + DAY && !session.hasOfferedToRegister) {
    session.hasOfferedToRegister = true;
    events = [...events, { type: 'register_again' }];
  }
  const isProbed = session.silentSince !== undefined && !session.hasOfferedToRegister && clock.now >= (session.probeAt ?? 0);
  if (isProbed) session.probeAt = clock.now + PROBES_APART;
  const step = { state: withSession(begin.state, session), texts, events };
  // CONFIRM may have been taken and each WELCOME lost: then this is answered, and by a pending session it is not.
  const isInDoubt = session.phase === 'acknowledged' && given.some(({ type }) => type === 'confirm');
  if (isProbed || isInDoubt) return saySelf(p, step, session, { type: 'balance' }, clock);
  return isRekeyDue(session, clock) ? startRekey(p, step, session, clock) : step;
}

/** The epoch with 128 counters left out, once: the state may be an older one, whose counters from `first` on are used already. */
function jumped(p: Primitives, epoch: Epoch, first: Sent, answered: number): Epoch {
  const by = first.n + JUMP - epoch.send.next;
  const isOnce = first.epoch === epoch.epoch && epoch.send.next - answered < JUMP / 2;
  return isOnce && by > 0 ? { ...epoch, send: stepOver(p, epoch.send, by) } : epoch;
}
