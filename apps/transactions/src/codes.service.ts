import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Msisdn, PaymentId, Sealed, SmsId } from '#libs/contracts';
import { insertOrRead } from '#libs/mongo';
import { DataKeys, Host, log, masked, Metrics, Secret, SETTINGS } from '#libs/service';
import type { Model } from 'mongoose';
import { codeOf, freeN } from './domain/code.ts';
import { type CodeDigits, codeDigits } from './domain/guessing.ts';
import type { Payment } from './domain/payment.ts';
import type { Settings } from './settings.ts';
import { WrongCode } from './wrong-code.schema.ts';

const DAY_MS = 24 * 3_600_000;

/** The codes that confirm payments: computed, compared and counted here alone. */
@Injectable()
export class CodesService {
  private readonly dataKeys: DataKeys;
  private readonly key: KeyObject;
  private readonly wrongTotal;

  constructor(
    @InjectModel(WrongCode.name) private readonly wrongCodes: Model<WrongCode>,
    private readonly host: Host,
    metrics: Metrics,
    @Inject(SETTINGS) settings: Settings,
  ) {
    this.wrongTotal = metrics.counter('smspay_wrong_codes_total', 'SMS whose code fitted nothing');
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
    const [first] = settings.CODE_KEY;
    if (!first) throw new Error('CODE_KEY holds no key');
    this.key = first.key;
  }

  /** True if `code` is the payment's. */
  fits(payment: Payment, code: Secret): boolean {
    return this.of(payment) === code.reveal();
  }

  /** A code as a person sent it, from where the gateway sealed it. */
  open(code: Sealed, smsId: SmsId): Secret {
    return this.dataKeys.open(code, `code:${smsId}`);
  }

  /** The payment's code, sealed for the event that tells it. */
  seal(payment: Payment, eventId: string): Sealed {
    return this.dataKeys.seal(new Secret(this.of(payment)), `code:${eventId}`);
  }

  /** What makes the code of a new payment: one that no other of the payer's has. */
  async forNew(id: PaymentId, payer: Msisdn, others: readonly Payment[]): Promise<{ codeN: number; codeDigits: CodeDigits }> {
    const digits = await this.digitsOf(payer);
    return { codeN: freeN(this.key, id, digits, new Set(others.map((other) => this.of(other)))), codeDigits: digits };
  }

  /** Counts a wrong code, one SMS once, and says how many digits this person's codes have from now on. */
  async wrong(smsId: SmsId, number: Msisdn, at: Date): Promise<CodeDigits> {
    const { inserted } = await insertOrRead(this.wrongCodes, { _id: smsId, number, at }, this.host);
    if (inserted) this.wrongTotal.inc();
    const digits = await this.digitsOf(number);
    if (digits === 9) log.warn({ msisdn: masked(number) }, 'codes are being guessed');
    return digits;
  }

  private async digitsOf(number: Msisdn): Promise<CodeDigits> {
    const now = this.host.now();
    const wrong = await this.wrongCodes.find({ number, at: { $gt: new Date(now.getTime() - DAY_MS) } }).lean<WrongCode[]>();
    return codeDigits(
      wrong.map(({ at }) => at),
      now,
    );
  }

  private of(payment: Payment): string {
    return codeOf(this.key, payment.id, payment.codeN, payment.codeDigits);
  }
}
