import * as client from './client.ts';
import { keysInMemory, node } from './node.ts';
import { ModelServer } from './server.spec-helper.ts';
import { type Certificate, serialOf, type TrustList } from './trust.ts';

export const p = node;
export const NUMBER = 15551230001n;
export const START = 1_800_000_000;
export const ROOT = p.sha256(new Uint8Array([1]));

/** The keys of a certificate that `name` makes. */
export function certificateOf(name: number, fromDay = 0, toDay = 0xffff) {
  const signSecret = p.sha256(new Uint8Array([2, name]));
  const dhSecret = p.sha256(new Uint8Array([3, name]));
  const signPub = p.ed25519.publicKey(signSecret);
  const dhPub = p.x25519.publicKey(dhSecret);
  const certificate: Certificate = { serial: serialOf(p, signPub, dhPub), signPub, dhPub, fromDay, toDay };
  return { certificate, secrets: { serial: certificate.serial, signSecret, dhSecret } };
}

export const trustOf = (...certificates: Certificate[]): TrustList => ({
  version: 1,
  ahead: [],
  rootPub: p.ed25519.publicKey(ROOT),
  builtDay: 0,
  certificates,
  revoked: [],
});

/** A client and a server with real keys, and nothing lost between them. */
export class Parties {
  readonly own = certificateOf(1);
  readonly keys = keysInMemory([this.own.secrets]);
  readonly server = new ModelServer(p, this.keys, this.own.certificate);
  state: client.ClientState;
  now = START;
  boot = 'first';
  events: client.ClientEvent[] = [];

  constructor(trust = trustOf(certificateOf(1).certificate)) {
    this.state = client.newClient(trust);
  }

  clock = (): client.Clock => ({ now: this.now - 9000, steady: this.now - START, boot: this.boot });

  /** The text, which is not sent yet. */
  say(said: client.Said): string {
    if (said.result !== 'sent') throw new Error(said.reason);
    this.state = said.state;
    return said.text;
  }
  register = () => this.say(client.register(p, this.state, { app: 1, msisdn: NUMBER, language: 'en', name: 'A' }, this.clock()));
  confirm = () => this.say(client.confirm(p, this.state, '4829', this.clock()));
  command = (body: Parameters<typeof client.command>[2]) => this.say(client.command(p, this.state, body, this.clock()));
  pay = (amount = 250n) =>
    this.command({ type: 'pay', pin: '4829', amount, to: 15551230002n, memo: `of ${amount}`, feeShown: 1n });

  /** The server's answers. */
  serve = (text: string, from = NUMBER) => this.server.take(text, from, this.now);

  /** The client takes a text; what it sends itself is answered too. */
  async receive(text: string): Promise<client.ClientEvent[]> {
    return this.take(client.receive(p, this.state, text, this.clock()));
  }
  async tick(seconds: number): Promise<client.ClientEvent[]> {
    this.now += seconds;
    return this.take(client.tick(p, this.state, this.clock()));
  }
  async take({ state, texts, events }: client.Step): Promise<client.ClientEvent[]> {
    this.state = state;
    for (const text of texts) events = events.concat(await this.both(text));
    return events;
  }
  /** There and back. */
  async both(text: string): Promise<client.ClientEvent[]> {
    let events: client.ClientEvent[] = [];
    for (const answer of await this.serve(text)) events = events.concat(await this.receive(answer));
    return events;
  }

  async registered(): Promise<this> {
    await this.both(this.register());
    await this.both(this.confirm());
    return this;
  }

  session(): client.ClientSession {
    const [session] = this.state.sessions;
    if (!session) throw new Error('no session');
    return session;
  }
}
