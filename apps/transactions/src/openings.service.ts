import { Inject, Injectable } from '@nestjs/common';
import { type OpenRefusal, type PaymentCommand, type PaymentId, QuoteTransfer, type Ref } from '#libs/contracts';
import { RpcClient } from '#libs/messaging';
import { OtherIndexTaken } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import { Host } from '#libs/runtime';
import { CodesService } from './codes.service.ts';
import type { Asked } from './commands.service.ts';
import { refusalOfOpening } from './domain/opening.ts';
import { type NotOpened, opened, type Terms } from './domain/payment.ts';
import { PaymentsService } from './payments.service.ts';
import type { Settings } from './settings.ts';

const REFS_MAX = 20;
const MINUTE_MS = 60_000;

/** Begins payments and requests: what they would cost, whether they can be, and a place and a code for them. */
@Injectable()
export class OpeningsService {
  constructor(
    private readonly payments: PaymentsService,
    private readonly codes: CodesService,
    private readonly rpc: RpcClient,
    private readonly clock: Clock,
    private readonly host: Host,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /** Stores what an SMS opens, or why it cannot be opened; the same SMS again changes nothing. Its people are told from there. */
  async begin(asked: Asked, command: Extract<PaymentCommand, { type: 'pay' | 'request' }>): Promise<void> {
    const { smsId, from, language } = asked;
    const [payer, payee] = command.type === 'pay' ? [from, command.to] : [command.to, from];
    const [quote, room] = await Promise.all([
      this.rpc.ask(QuoteTransfer, { payer, payee, amount: command.amount }),
      this.codes.roomOf(payer),
    ]);
    const id = smsId as string as PaymentId;
    const reason = refusalOfOpening(command, from, quote);
    const openedAt = this.clock.now();
    const refuse = (why: OpenRefusal): Promise<void> => {
      const other = command.type === 'pay' ? quote.payee : quote.payer;
      const own = command.type === 'pay' ? quote.payer : quote.payee;
      const notOpened: NotOpened = {
        id,
        state: 'not_opened',
        origin: command.type,
        opener: { number: from, language, ...(own ? { link: own.link } : {}) },
        other: { number: command.to, name: other?.name ?? '' },
        amount: command.amount,
        fee: quote.fee,
        balance: command.type === 'pay' ? quote.payerBalance : 0n,
        currency: quote.currency,
        reason: why,
        openedAt,
      };
      return this.payments.insert(notOpened, ['not_opened']);
    };
    if (reason || !quote.payer || !quote.payee) return refuse(reason ?? 'no_wallet');

    const lifeMs = command.type === 'pay' ? this.settings.CODE_MINUTES * MINUTE_MS : this.settings.REQUEST_HOURS * 60 * MINUTE_MS;
    const codeMs = this.settings.CODE_MINUTES * MINUTE_MS;
    const endsAt = new Date(openedAt.getTime() + lifeMs + codeMs);
    const known = room.version === 0 ? await this.payments.withOlder(room, openedAt) : room;
    const waiting = await this.codes.enter(known, { id, kind: command.type, until: endsAt }, (things) =>
      this.payments.endedOf(things),
    );
    if (!waiting) return refuse('too_many_open');
    const terms: Omit<Terms, 'ref'> = {
      id,
      origin: command.type,
      way: 'direct',
      payer: quote.payer,
      payee: quote.payee,
      amount: command.amount,
      fee: quote.fee,
      currency: quote.currency,
      memo: command.memo,
      openedAt,
      dropAt: new Date(openedAt.getTime() + lifeMs),
      endsAt,
      refuseAt: new Date(openedAt.getTime() + lifeMs + 2 * codeMs),
      codeDigits: waiting.codeDigits,
      codeN: waiting.codeN,
    };
    for (let draw = 0; draw < REFS_MAX; draw++) {
      const first = opened({ ...terms, ref: this.host.randomBytes(4).readUInt32BE() as Ref });
      try {
        await this.payments.insert(first.payment, first.untold);
        return undefined;
      } catch (error) {
        // Another payment has the reference.
        if (!(error instanceof OtherIndexTaken)) throw error;
      }
    }
    throw new Error(`no free reference in ${REFS_MAX} draws`);
  }
}
