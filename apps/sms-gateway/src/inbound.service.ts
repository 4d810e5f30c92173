import { ConflictException, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import {
  answerEventOf,
  CarryOut,
  type Message,
  Msisdn,
  OpenWallet,
  type PaymentCommand,
  ReadBalance,
  ReadStatement,
  Tell,
} from '#libs/contracts';
import { RpcClient } from '#libs/messaging';
import { Redrive } from '#libs/redrive';
import { crashPoint, DataKeys, Host, Lifecycle, log, masked, Metrics, Secret, span, SpanKind, traceparent } from '#libs/runtime';
import { insertOrRead } from '#libs/mongo';
import { Clock, Database, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { parse, type Parsed } from './domain/grammar.ts';
import { senderOf } from './domain/sender.ts';
import { eraseAtOf } from './erasure.service.ts';
import { InboxMessage } from './inbox.schema.ts';
import { LANGUAGE, NumbersService } from './numbers.service.ts';
import type { Settings } from './settings.ts';
import type { InboundSms } from './twilio-forms.ts';

/** Longer than understanding takes; a crash is found again after it. */
const LEASE_MS = 15_000;
/** SMS that one process understands at the same time. */
const AT_ONCE = 8;
const HISTORY_MAX = 5;
/** SMS of a number among which one without an outcome is looked for. */
const LOOKED_AT_MAX = 200;

/** What to do for one SMS: ask transactions, tell its sender something, or nothing. `outcome` is kept in the inbox, and the text erased if it `isSecret`. */
type Response = { outcome: string; message?: Message; dropAt?: Date | undefined; unasked?: boolean; isSecret?: boolean };

/** Takes SMS: recorded first, understood and carried out from what was recorded. */
@Injectable()
export class InboundService implements OnModuleInit {
  private readonly redrive: Redrive<InboxMessage>;
  private readonly dataKeys: DataKeys;
  private readonly receivedTotal;

  constructor(
    @InjectModel(InboxMessage.name) private readonly inbox: Model<InboxMessage>,
    private readonly numbers: NumbersService,
    private readonly rpc: RpcClient,
    clock: Clock,
    private readonly database: Database,
    private readonly host: Host,
    metrics: Metrics,
    lifecycle: Lifecycle,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.receivedTotal = metrics.counter('smspay_sms_received_total', 'SMS by what came of them', ['result']);
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
    this.redrive = new Redrive({
      model: inbox,
      what: 'inbox',
      drive: (sms) => this.understand(sms),
      leaseMs: LEASE_MS,
      atOnce: AT_ONCE,
      givesUp: true,
      canDrive: () => rpc.connected && clock.good,
      inTurn: true,
      lifecycle,
      clock,
      host,
      metrics,
    });
    metrics.gauge('smspay_inbox_oldest_seconds', 'Age of the oldest SMS without an outcome', () =>
      this.redrive.oldestSeconds('recordedAt'),
    );
  }

  onModuleInit(): void {
    this.redrive.start();
  }

  /** Records one SMS under the provider's id. Seen before: nothing happens again. The same id with other contents is an error. */
  async take(sms: InboundSms): Promise<void> {
    await span('sms inbound', () => this.record(sms), { kind: SpanKind.SERVER, attributes: { 'sms.id': sms.MessageSid } });
  }

  private async record({ MessageSid: smsId, From: from, To: to, Body: body, NumMedia: media }: InboundSms): Promise<void> {
    const recordedAt = await this.database.time();
    crashPoint('gateway: before an SMS is stored');
    let known: InboxMessage | undefined;
    await this.redrive.begin(async (first) => {
      const { inserted, stored } = await insertOrRead(
        this.inbox,
        {
          _id: smsId,
          from,
          to,
          text: this.dataKeys.seal(new Secret(body), `inbox:${smsId}`),
          media,
          recordedAt,
          eraseAt: eraseAtOf(recordedAt),
          ...first,
          tries: 0,
          traceparent: traceparent(),
        } as InboxMessage,
        this.host,
      );
      crashPoint('gateway: SMS stored');
      if (!inserted) known = stored;
      return stored;
    });
    if (!known) return;
    const same = known.from === from && known.to === to && (!known.text || this.textOf(known) === body);
    if (!same) {
      log.error({ smsId }, 'an SMS id came again with other contents');
      throw new ConflictException('this MessageSid was recorded with other contents');
    }
  }

  /**
   * True if an SMS of a number that was recorded from `since` on and before `before` has no outcome yet; of more than 200 only the newest are
   * looked at, so whoever floods us loses this, and nobody else.
   */
  async hasNoOutcome(number: Msisdn, since: Date, before: Date): Promise<boolean> {
    const newest = await this.inbox
      .find({ from: number, recordedAt: { $gte: since, $lt: before } })
      .sort({ recordedAt: -1 })
      .limit(LOOKED_AT_MAX)
      .select({ nextTryAt: 1 })
      .lean<InboxMessage[]>();
    return newest.some(({ nextTryAt }) => nextTryAt !== undefined);
  }

  private async understand(sms: InboxMessage): Promise<void> {
    const { outcome, message, dropAt, unasked, isSecret } = await this.respond(sms);
    crashPoint('gateway: command carried out');
    const silent = unasked && !(await this.numbers.mayHelp(sms.from as Msisdn, sms._id, sms.recordedAt));
    if (message && !silent) {
      await this.rpc.ask(Tell, {
        events: [
          {
            id: answerEventOf(sms._id),
            to: { number: sms.from as Msisdn, language: LANGUAGE },
            currency: this.settings.CURRENCY,
            ...this.sendFrom(sms),
            ...(dropAt ? { dropAt } : {}),
            answers: sms._id,
            message,
          },
        ],
      });
      crashPoint('gateway: answer told');
    }
    // Whoever lost the claim did nothing that is not done again under the same ids.
    const erased = isSecret ? (['text', 'eraseAt'] as const) : [];
    if (!(await this.redrive.close(sms, { outcome: silent ? 'silence' : outcome }, erased))) return;
    crashPoint('gateway: inbox closed');
    this.receivedTotal.inc({ result: silent ? 'silence' : outcome });
    log.info({ smsId: sms._id, msisdn: masked(sms.from), outcome: silent ? 'silence' : outcome }, 'sms understood');
  }

  private async respond(sms: InboxMessage): Promise<Response> {
    const sender = senderOf(sms.from, this.settings.COUNTRIES);
    if ('silence' in sender) return { outcome: sender.silence };
    const { CURRENCY: currency, DEFAULT_REGION: region, COUNTRIES: countries } = this.settings;
    const text = this.textOf(sms);
    if (sms.media > 0 && text.trim() === '') return { outcome: 'text_only', message: { type: 'text_only' }, unasked: true };
    const parsed = parse(text, { region, countries, currency, language: LANGUAGE });
    const [response] = await Promise.all([
      this.carryOut(sms, sender.number, parsed),
      this.numbers.heard(sender.number, sms.recordedAt),
    ]);
    return { ...response, isSecret: holdsPin(parsed) };
  }

  private async carryOut(sms: InboxMessage, number: Msisdn, parsed: Parsed): Promise<Response> {
    switch (parsed.type) {
      case 'join':
        return answered(await this.join(sms, number, parsed.name));
      case 'balance':
        return answered(await this.balance(number));
      case 'history':
        return answered(await this.history(number));
      case 'pay':
      case 'request':
      case 'status':
        return this.ask(sms, number, parsed);
      case 'pin': {
        const seal = (pin: Secret) => this.dataKeys.seal(pin, `pin:${sms._id}`);
        return this.ask(sms, number, { type: 'pin', pin: seal(parsed.pin), ...(parsed.old ? { old: seal(parsed.old) } : {}) });
      }
      case 'code':
        return this.ask(sms, number, { type: 'code', code: this.sealCode(sms, parsed.code) });
      case 'no':
        return this.ask(
          sms,
          number,
          parsed.of?.by === 'code'
            ? { type: 'no', of: { by: 'code', code: this.sealCode(sms, parsed.of.code) } }
            : { type: 'no', ...(parsed.of ? { of: parsed.of } : {}) },
        );
      case 'menu':
        return answered({ type: 'menu' });
      case 'ref_unknown':
        return answered({ type: 'ref_unknown', ref: parsed.ref });
      case 'not_understood':
        return answered({ type: 'not_understood', command: parsed.command, why: parsed.why });
      case 'unknown':
        return { outcome: 'help', message: { type: 'help' }, unasked: true };
      case 'reserved':
      case 'silence':
        return { outcome: parsed.type };
      default:
        return parsed satisfies never;
    }
  }

  private async ask(sms: InboxMessage, from: Msisdn, command: PaymentCommand): Promise<Response> {
    const answer = await this.rpc.ask(CarryOut, {
      smsId: sms._id,
      from,
      language: LANGUAGE,
      recordedAt: sms.recordedAt,
      command,
    });
    return answer.result === 'taken' ? { outcome: command.type } : { ...answered(answer.message), dropAt: answer.dropAt };
  }

  private async join(sms: InboxMessage, number: Msisdn, name = ''): Promise<Message> {
    const { result, party, balance } = await this.rpc.ask(OpenWallet, { number, name, language: LANGUAGE, cause: sms._id });
    return { type: result === 'opened' ? 'joined' : 'already_joined', name: party.name, balance };
  }

  private async balance(number: Msisdn): Promise<Message> {
    const answer = await this.rpc.ask(ReadBalance, { number });
    return answer.result === 'balance' ? { type: 'balance', balance: answer.balance, held: answer.held } : { type: 'no_wallet' };
  }

  private async history(number: Msisdn): Promise<Message> {
    const answer = await this.rpc.ask(ReadStatement, { number, limit: HISTORY_MAX });
    return answer.result === 'statement'
      ? { type: 'history', balance: answer.balance, entries: answer.entries }
      : { type: 'no_wallet' };
  }

  private sealCode(sms: InboxMessage, code: string) {
    return this.dataKeys.seal(new Secret(code), `code:${sms._id}`);
  }

  private textOf(sms: InboxMessage): string {
    if (!sms.text) throw new Error('the text was erased');
    return this.dataKeys.unseal(sms.text, `inbox:${sms._id}`).reveal();
  }

  /** A person is answered from the number that they wrote to. */
  private sendFrom(sms: InboxMessage): { sendFrom?: Msisdn } {
    const ours = this.settings.SMS_NUMBERS;
    const to = Msisdn.safeParse(sms.to);
    return to.success && 'numbers' in ours && ours.numbers.includes(to.data) ? { sendFrom: to.data } : {};
  }
}

/** True of what says a PIN, or may: also where it was not understood. */
const holdsPin = (parsed: Parsed) => parsed.type === 'pin' || (parsed.type === 'not_understood' && parsed.command === 'pin');

const answered = (message: Message): Response => ({ outcome: message.type, message });
