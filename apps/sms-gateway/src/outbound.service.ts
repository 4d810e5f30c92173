import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { Msisdn, QueuedText, type QueueTexts, type ResponseOf } from '#libs/contracts';
import { claimOf, type FirstTry, Redrive } from '#libs/redrive';
import { crashPoint, DataKeys, Host, Lifecycle, log, masked, Metrics, span, SpanKind, traceparent, Secret } from '#libs/runtime';
import { insertOrRead, isDuplicateKey } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import type { Model } from 'mongoose';
import { encode } from 'zod';
import { isEnd, stateOfReport, statesBefore, type TextState } from './domain/delivery.ts';
import { eraseAtOf } from './erasure.service.ts';
import { InboxMessage } from './inbox.schema.ts';
import { NumbersService } from './numbers.service.ts';
import { namesOf, OutboxText } from './outbox.schema.ts';
import { OPTED_OUT, type SendResult, TEXTS_AT_ONCE, Twilio } from './providers/twilio.ts';
import type { Settings } from './settings.ts';
import type { DeliveryReport } from './twilio-forms.ts';

/**
 * A try whose outcome is not known is settled only after this without a callback (docs/design.md, "Receiving and sending"). Longer than a POST
 * may take.
 */
const SETTLE_MS = 30_000;
/** A process that was held up for longer makes no try any more: it would still be under way when its time is over. */
const POST_WITHIN_MS = 15_000;
/** Longer than asking the provider's list takes. */
const LEASE_MS = 15_000;

/** Tries of a text whose begin is kept, the first ones: what is not taken may be tried for days. */
const SENDS_KEPT = 20;

const Told = QueuedText.shape.told.unwrap();

const settledBy = (began: Date) => new Date(began.getTime() + SETTLE_MS);
const isOver = (dropAt: Date | undefined, now: Date) => dropAt !== undefined && dropAt <= now;

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
    private readonly numbers: NumbersService,
    private readonly clock: Clock,
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
      nameOf: (text) => text.callbackId,
      leaseMs: LEASE_MS,
      atOnce: TEXTS_AT_ONCE,
      givesUp: true,
      canDrive: () => clock.good,
      lifecycle,
      clock,
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

  private async queueOne({ id, from, told, ...text }: QueuedText): Promise<void> {
    crashPoint('gateway: before a text is stored');
    const sender = from ?? (await this.numberFor(text.to));
    const createdAt = this.clock.now();
    const document = {
      ...text,
      ...(told ? { told: this.dataKeys.seal(new Secret(JSON.stringify(encode(Told, told))), `told:${id}`) } : {}),
      _id: id,
      from: sender,
      createdAt,
      eraseAt: eraseAtOf(createdAt),
      tries: 0,
      traceparent: traceparent(),
    };
    let isSentNow = false;
    const store = async (first: FirstTry) => {
      // What is sent at once is stored together with its first try.
      isSentNow = first.claim !== undefined && !isOver(text.dropAt, createdAt);
      const { stored } = await insertOrRead(
        this.outbox,
        {
          ...document,
          callbackId: this.host.randomBytes(12).toString('hex'),
          ...first,
          ...(isSentNow
            ? { state: 'trying', sends: [createdAt], nextTryAt: settledBy(createdAt) }
            : { state: 'queued', sends: [] }),
        } as OutboxText,
        this.host,
      );
      crashPoint('gateway: text stored');
      return stored;
    };
    await this.redrive.begin(store, (stored) => (isSentNow ? this.post(stored, createdAt) : this.drive(stored)));
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

  private async drive(text: OutboxText): Promise<boolean> {
    if (text.state === 'trying' && (await this.adopt(text))) return true;
    if (isOver(text.dropAt, this.clock.now())) {
      if (!(await this.redrive.close(text, { state: 'dropped' }))) return false;
      this.sentTotal.inc({ result: 'dropped' });
      log.warn(namesOf(text), 'text dropped: its time is over');
      return false;
    }
    return this.send(text);
  }

  /**
   * The try may have been taken, and its reply and callbacks lost: the provider's list decides (docs/design.md, "Receiving and sending"). True
   * if it has it.
   */
  private async adopt(text: OutboxText): Promise<boolean> {
    const [since] = text.sends;
    if (!since) return false;
    const sids = await span('provider list', () => this.twilio.find(text.to, since, this.textOf(text)), {
      kind: SpanKind.CLIENT,
    });
    for (const sid of sids) {
      try {
        if (!(await this.redrive.close(text, { state: 'handed_over', sid }))) return true;
        this.sentTotal.inc({ result: 'adopted' });
        log.info({ ...namesOf(text), sid }, 'text found in the list of the provider');
        return true;
      } catch (error) {
        // This message is another text's.
        if (!isDuplicateKey(error)) throw error;
      }
    }
    return false;
  }

  private async send(text: OutboxText): Promise<boolean> {
    const began = this.clock.now();
    const { modifiedCount } = await this.outbox.updateOne(claimOf(text), {
      $set: { state: 'trying', nextTryAt: settledBy(began) },
      ...(text.sends.length < SENDS_KEPT ? { $push: { sends: began } } : {}),
    });
    return modifiedCount === 1 && (await this.post(text, began));
  }

  /** One try, which is stored. It must be over before others ask what became of it. True if the provider did what it is there for. */
  private async post(text: OutboxText, began: Date): Promise<boolean> {
    crashPoint('gateway: try stored');
    // Where the host itself slept, only the clock that goes on without it knows.
    if (!this.clock.good || this.clock.now().getTime() - began.getTime() > POST_WITHIN_MS) {
      log.warn(namesOf(text), 'a try came too late to be made');
      return false;
    }
    const sent = await span(
      'provider send',
      () =>
        this.twilio.send({
          to: text.to,
          from: text.from,
          body: this.textOf(text),
          callbackUrl: `${this.settings.PUBLIC_URL.replace(/\/$/, '')}/sms/status?text=${text.callbackId}`,
          validitySeconds: text.dropAt && (text.dropAt.getTime() - this.clock.now().getTime()) / 1000,
        }),
      { kind: SpanKind.CLIENT },
    );
    crashPoint('gateway: provider answered');
    this.sentTotal.inc({ result: sent.result });
    // What cannot be stored now must not bring the next look nearer: until SETTLE_MS is over, the list may not have the text yet.
    await this.settle(text, sent).catch((error: unknown) =>
      log.warn(
        { err: error, ...namesOf(text) },
        'what became of a try could not be stored; its callback or the list of the provider will tell',
      ),
    );
    // Where all are refused it is an outage; where one is while others pass, its own fault.
    if (sent.result === 'refused' && !sent.forGood) throw new Error(`provider error ${sent.errorCode}`);
    return sent.result === 'accepted' || sent.result === 'refused';
  }

  private async settle(text: OutboxText, sent: SendResult): Promise<void> {
    switch (sent.result) {
      case 'accepted':
        // A fact, whoever has the claim; callbacks may have brought it further already.
        await this.forward({ _id: text._id }, 'handed_over', { sid: sent.sid });
        crashPoint('gateway: handed over');
        return;
      case 'not_taken': {
        const waits = (text.waits ?? 0) + 1;
        const waitMs = Math.min(15_000, 500 * 2 ** Math.min(waits, 6)) * (0.5 + this.host.random() / 2);
        log.warn({ ...namesOf(text), why: sent.why, waits }, 'the provider did not take a text; it is sent again');
        await this.outbox.updateOne(claimOf(text), {
          $set: { state: 'queued', waits, nextTryAt: new Date(this.clock.now().getTime() + waitMs) },
          $unset: { claim: 1 },
        });
        return;
      }
      case 'refused':
        if (!sent.forGood) {
          await this.outbox.updateOne(claimOf(text), { $set: { state: 'queued' } });
          return;
        }
        log.error(
          { ...namesOf(text), msisdn: masked(text.to), errorCode: sent.errorCode },
          'the provider refused a text for good',
        );
        if (sent.errorCode === OPTED_OUT) await this.numbers.optedOut(text.to, this.clock.now());
        await this.redrive.close(text, {
          state: 'failed',
          errorCode: sent.errorCode,
          refused: { reason: `provider error ${sent.errorCode}`, at: this.clock.now() },
        });
        return;
      case 'ambiguous':
        log.warn(
          { ...namesOf(text), why: sent.why },
          'it is not known whether the provider took a text; its callback or its list will tell',
        );
        return;
      default:
        sent satisfies never;
    }
  }

  /** A delivery report: moves the text's state forward only, and brings the SID if the reply to the POST was lost. */
  async report(callbackId: string, { MessageSid, MessageStatus, ErrorCode, To }: DeliveryReport): Promise<void> {
    const state = stateOfReport(MessageStatus);
    if (!state) return;
    const more = { sid: MessageSid, ...(ErrorCode ? { errorCode: ErrorCode } : {}) };
    const moved = await this.forward({ callbackId }, state, more);
    if (!moved || !isEnd(state)) return;
    this.deliveredTotal.inc({ state });
    if (state === 'delivered') {
      const to = Msisdn.safeParse(To);
      if (to.success) await this.numbers.delivered(to.data, this.clock.now());
    } else {
      log.warn({ sid: MessageSid, state, errorCode: ErrorCode }, 'text not delivered');
    }
  }

  /** Moves a text's state forward, never back; nothing is left to be done for it, and it is no dead letter any more. False if it was there. */
  private async forward(
    which: Pick<OutboxText, '_id'> | Pick<OutboxText, 'callbackId'>,
    state: TextState,
    more: Partial<OutboxText>,
  ): Promise<boolean> {
    const { modifiedCount } = await this.outbox.updateOne(
      { ...which, state: { $in: statesBefore(state) } },
      { $set: { state, ...more }, $unset: { nextTryAt: 1, claim: 1, dead: 1 } },
    );
    return modifiedCount === 1;
  }

  private textOf(text: OutboxText): string {
    if (!text.text) throw new Error('the text was erased');
    return this.dataKeys.unseal(text.text, `text:${text._id}`).reveal();
  }
}
