import { z } from 'zod';

/** Minor units of a currency (cents), never negative. A decimal string on the wire: `"2500"` is 25.00. */
export const MinorUnits = z.codec(z.string().regex(/^(0|[1-9]\d{0,17})$/), z.bigint().nonnegative().brand<'MinorUnits'>(), {
  decode: (wire) => BigInt(wire) as MinorUnits,
  encode: (amount) => amount.toString(),
});
export type MinorUnits = bigint & z.$brand<'MinorUnits'>;

/** As `MinorUnits`, but a balance of a system account may be below zero. */
export const Balance = z.codec(z.string().regex(/^-?(0|[1-9]\d{0,18})$/), z.bigint(), {
  decode: (wire) => BigInt(wire),
  encode: (amount) => amount.toString(),
});

/** Says that a computed amount is one: throws if it is negative, since a negative amount would move money backwards. */
export function minorUnits(amount: bigint): MinorUnits {
  if (amount < 0n) throw new Error(`an amount cannot be negative: ${amount}`);
  return amount as MinorUnits;
}

/** An ISO 4217 code: `KES`. */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/)
  .brand<'Currency'>();
export type Currency = z.output<typeof Currency>;

/** A phone number, E.164 with `+`: `+254712345678` (ITU-T E.164: at most 15 digits). */
export const Msisdn = z
  .string()
  .regex(/^\+[1-9]\d{6,14}$/)
  .brand<'Msisdn'>();
export type Msisdn = z.output<typeof Msisdn>;

/** The dated link from a number to a wallet, `<number>:<n>`: numbers change owners (docs/design.md, "Phone numbers and links"). */
export const Link = z
  .string()
  .regex(/^\+[1-9]\d{6,14}:[1-9]\d*$/)
  .brand<'Link'>();
export type Link = z.output<typeof Link>;

/** The n-th link of a number. */
export function linkOf(number: Msisdn, n = 1): Link {
  return `${number}:${n}` as Link;
}

const id = <Brand extends string>(pattern: RegExp, _brand: Brand) => z.string().regex(pattern).brand<Brand>();

/** The id of an incoming SMS from outside: Twilio's MessageSid. Never expires. */
export const SmsId = id(/^[\w:-]{1,80}$/, 'SmsId');
export type SmsId = z.output<typeof SmsId>;

/** A payment's id is that of the SMS that opened it. */
export const PaymentId = id(/^[\w:-]{1,80}$/, 'PaymentId');
export type PaymentId = z.output<typeof PaymentId>;

export const WalletId = id(/^[0-9a-f]{32}$/, 'WalletId');
export type WalletId = z.output<typeof WalletId>;

/** Derived from the thing that may happen once: `pay:<paymentId>`, `welcome:<walletId>`, `fund:<operator's id>`. */
export const TransferId = id(/^(pay|end|undo|welcome|move|fund):[\w:-]{1,90}$/, 'TransferId');
export type TransferId = z.output<typeof TransferId>;

export const payOf = (paymentId: PaymentId) => `pay:${paymentId}` as TransferId;
export const welcomeOf = (walletId: WalletId) => `welcome:${walletId}` as TransferId;

/** A name in the ledger: `wallet:<id>`, `escrow:<paymentId>`, `treasury:KES`, `fees:KES`. */
export const AccountId = id(/^(wallet|escrow|treasury|fees|clearing):[\w:-]{1,90}$/, 'AccountId');
export type AccountId = z.output<typeof AccountId>;

export const walletAccount = (walletId: WalletId) => `wallet:${walletId}` as AccountId;
export const treasuryAccount = (currency: Currency) => `treasury:${currency}` as AccountId;
export const feesAccount = (currency: Currency) => `fees:${currency}` as AccountId;

/** What caused a transfer or an end: an SMS id, `timer:<paymentId>`, or `operator:<id>`. */
export const Cause = z.string().min(1).max(100).brand<'Cause'>();
export type Cause = z.output<typeof Cause>;

/** What a person wrote beside a payment; at most 60 characters. */
export const Memo = z.string().max(60);

/** A language of the texts, ISO 639-1. */
export const Language = z.enum(['en']);
export type Language = z.output<typeof Language>;

/** A moment; ISO 8601 in UTC on the wire. */
export const Moment = z.codec(z.iso.datetime(), z.date(), {
  decode: (wire) => new Date(wire),
  encode: (date) => date.toISOString(),
});

/** A secret on its way or at rest: `<keyId>.<base64url>` of AES-256-GCM under `DATA_KEYS` (`#libs/nest-service`, `DataKeys`). */
export const Sealed = z
  .string()
  .regex(/^[\w-]+\.[\w-]+$/)
  .brand<'Sealed'>();
export type Sealed = z.output<typeof Sealed>;

/** A person as another one may know them: the number, and the name they gave (shown masked; may be empty). */
export const Person = z.object({ number: Msisdn, name: z.string().max(40) });
export type Person = z.output<typeof Person>;

/** A person's wallet as a payment stores it: fixed when the payment is opened, so that a number's next owner never inherits it. */
export const Party = Person.extend({ link: Link, walletId: WalletId, language: Language });
export type Party = z.output<typeof Party>;
