import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { QueuedText, QueueTexts, ResponseOf } from '#libs/contracts';
import { Redrive } from '#libs/messaging';
import { insertOrRead, isDuplicateKey } from '#libs/mongo';
import {
  crashPoint,
  DataKeys,
  Host,
  Lifecycle,
  log,
  masked,
  Metrics,
  SETTINGS,
  span,
  SpanKind,
  traceparent,
} from '#libs/service';
import type { Model } from 'mongoose';
import { isEnd, stateOfReport, statesBefore } from './domain/delivery.ts';
import { InboxMessage } from './inbox.schema.ts';
import { OutboxText } from './outbox.schema.ts';
import { type SendResult, Twilio } from './providers/twilio.ts';
import type { Settings } from './settings.ts';
import type { DeliveryReport } from './twilio-forms.ts';

/** A try whose outcome is not known is settled only after this without a callback (design.md). Longer than a POST may take. */
const SETTLE_MS = 30_000;
const LEASE_MS = 5_000;
const TRIES_MAX = 8;

/** Sends texts: stored first, each try stored before its POST, followed to the phone. */
@Injectable()
export class OutboundService implements OnModuleInit {
  private readonly redrive: Redrive<OutboxText>;
  private readonly dataKeys: DataKeys;
  private readonly sentTotal;
  private readonly deliveredTotal;

  constructor(
    @InjectModel(OutboxText.name) private readonly outbox: Model<OutboxText>,
    @InjectModel(InboxMessage.name) private readonly inbox: Model<InboxMessage>,
    private readonly twilio: Twilio,
    private readonly host: Host,
    metrics: Metrics,
    lifecycle: Lifecycle,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.sentTotal = metrics.counter('smspay_sms_sent_total', 'Tries to hand a text to the provider, by their result', [
      'result',
    ]);
    this.deliveredTotal = metrics.counter('smspay_sms_delivery_total', 'Texts by what their delivery reports said at last', [
      'state',
    ]);
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
    this.redrive = new Redrive({
      model: outbox,
      what: 'outbox',
      drive: (text) => this.drive(text),
      leaseMs: LEASE_MS,
      triesMax: TRIES_MAX,
      lifecycle,
      host,
      metrics,
    });
    metrics.gauge('smspay_outbox_oldest_seconds', 'Age of the oldest text not handed over', () =>
      this.redrive.oldestSeconds('createdAt'),
    );
  }

  onModuleInit(): void {
    this.redrive.start();
  }

  /** Returning means: the outbox holds these texts, or others under their ids. */
  async queue(texts: QueuedText[]): Promise<ResponseOf<typeof QueueTexts>> {
    await Promise.all(texts.map((text) => this.queueOne(text)));
    return {};
  }

  private async queueOne({ id, from, ...text }: QueuedText): Promise<void> {
    crashPoint('gateway: before a text is stored');
    const { inserted, stored } = await insertOrRead(
      this.outbox,
      {
        ...text,
        _id: id,
        from: from ?? (await this.numberFor(text.to)),
        createdAt: this.host.now(),
        state: 'queued',
        callbackId: this.host.randomBytes(12).toString('hex'),
        sends: [],
        tries: 0,
        nextTryAt: this.redrive.firstTryAt(),
        traceparent: traceparent(),
      } as OutboxText,
      this.host,
    );
    crashPoint('gateway: text stored');
    if (inserted) this.redrive.driveNow(stored);
  }

  // A person keeps the number that they and the server first used.
  private async numberFor(to: string): Promise<string> {
    const from = this.settings.SMS_NUMBERS;
    if ('service' in from) return from.service;
    const [only = ''] = from.numbers;
    if (from.numbers.length === 1) return only;
    const first = await this.inbox.findOne({ from: to }).sort({ recordedAt: 1 }).lean<InboxMessage>();
    return from.numbers.find((number) => number === first?.to) ?? only;
  }

  private async drive(text: OutboxText): Promise<void> {
    if (text.state === 'trying' && (await this.adopt(text))) return;
    if (text.dropAt && text.dropAt <= this.host.now()) {
      await this.outbox.updateOne({ _id: text._id, state: text.state }, { $set: { state: 'dropped' }, $unset: { nextTryAt: 1 } });
      this.sentTotal.inc({ result: 'dropped' });
      log.warn({ textId: text._id }, 'text dropped: its time is over');
      return;
    }
    await this.send(text);
  }

  /** The try may have been taken, and its reply and callbacks lost: the provider's list decides (design.md). True if it has it. */
  private async adopt(text: OutboxText): Promise<boolean> {
    const [since] = text.sends;
    if (!since) return false;
    const sids = await span('provider list', () => this.twilio.find(text.to, since, this.open(text)), { kind: SpanKind.CLIENT });
    for (const sid of sids) {
      try {
        await this.outbox.updateOne(
          { _id: text._id, state: 'trying' },
          { $set: { state: 'handed_over', sid }, $unset: { nextTryAt: 1 } },
        );
        this.sentTotal.inc({ result: 'adopted' });
        log.info({ textId: text._id, sid }, 'text found in the list of the provider');
        return true;
      } catch (error) {
        // This message is another text's.
        if (!isDuplicateKey(error)) throw error;
      }
    }
    return false;
  }

  private async send(text: OutboxText): Promise<void> {
    const began = this.host.now();
    const { modifiedCount } = await this.outbox.updateOne(
      { _id: text._id, state: text.state, [`sends.${text.sends.length}`]: { $exists: false } },
      { $set: { state: 'trying', nextTryAt: new Date(began.getTime() + SETTLE_MS) }, $push: { sends: began } },
    );
    if (modifiedCount === 0) return;
    crashPoint('gateway: try stored');
    const sent = await span(
      'provider send',
      () =>
        this.twilio.send({
          to: text.to,
          from: text.from,
          body: this.open(text),
          callbackUrl: `${this.settings.PUBLIC_URL.replace(/\/$/, '')}/sms/status?text=${text.callbackId}`,
          validitySeconds: text.dropAt && (text.dropAt.getTime() - this.host.now().getTime()) / 1000,
        }),
      { kind: SpanKind.CLIENT },
    );
    crashPoint('gateway: provider answered');
    this.sentTotal.inc({ result: sent.result });
    // What cannot be stored now must not bring the next look nearer: until SETTLE_MS is over, the list may not have the text yet.
    await this.settle(text, sent).catch((error: unknown) =>
      log.warn(
        { err: error, textId: text._id },
        'what became of a try could not be stored; its callback or the list of the provider will tell',
      ),
    );
  }

  private async settle(text: OutboxText, sent: SendResult): Promise<void> {
    switch (sent.result) {
      case 'accepted':
        // Callbacks may have brought it further already.
        await this.outbox.updateOne(
          { _id: text._id, state: 'trying' },
          { $set: { state: 'handed_over', sid: sent.sid }, $unset: { nextTryAt: 1 } },
        );
        crashPoint('gateway: handed over');
        return;
      case 'not_taken': {
        const waits = (text.waits ?? 0) + 1;
        const waitMs = Math.min(15_000, 500 * 2 ** Math.min(waits, 6)) * (0.5 + this.host.random() / 2);
        log.warn({ textId: text._id, why: sent.why, waits }, 'the provider did not take a text; it is sent again');
        await this.outbox.updateOne(
          { _id: text._id, state: 'trying' },
          { $set: { state: 'queued', waits, nextTryAt: new Date(this.host.now().getTime() + waitMs) } },
        );
        return;
      }
      case 'refused':
        log.error(
          { textId: text._id, msisdn: masked(text.to), errorCode: sent.errorCode },
          'the provider refused a text for good',
        );
        await this.outbox.updateOne(
          { _id: text._id, state: 'trying' },
          {
            $set: {
              state: 'failed',
              errorCode: sent.errorCode,
              dead: { reason: `provider error ${sent.errorCode}`, at: this.host.now() },
            },
            $unset: { nextTryAt: 1 },
          },
        );
        return;
      case 'ambiguous':
        log.warn(
          { textId: text._id, why: sent.why },
          'it is not known whether the provider took a text; its callback or its list will tell',
        );
        return;
      default:
        sent satisfies never;
    }
  }

  /** A delivery report: moves the text's state forward only, and brings the SID if the reply to the POST was lost. */
  async report(callbackId: string, { MessageSid, MessageStatus, ErrorCode }: DeliveryReport): Promise<void> {
    const state = stateOfReport(MessageStatus);
    if (!state) return;
    const { modifiedCount } = await this.outbox.updateOne(
      { callbackId, state: { $in: statesBefore(state) } },
      { $set: { state, sid: MessageSid, ...(ErrorCode ? { errorCode: ErrorCode } : {}) }, $unset: { nextTryAt: 1 } },
    );
    if (modifiedCount === 0 || !isEnd(state)) return;
    this.deliveredTotal.inc({ state });
    if (state !== 'delivered') log.warn({ sid: MessageSid, state, errorCode: ErrorCode }, 'text not delivered');
  }

  private open(text: OutboxText): string {
    if (!text.text) throw new Error('the text was erased');
    return this.dataKeys.open(text.text, `text:${text._id}`).reveal();
  }
}
