import type { Currency, MinorUnits } from './values.ts';

const decimals = new Map<Currency, number>();

/** Decimal places of a currency by ISO 4217: 2 for KES, 0 for JPY. */
export function decimalsOf(currency: Currency): number {
  let known = decimals.get(currency);
  if (known === undefined) {
    known = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
    decimals.set(currency, known);
  }
  return known;
}

/** `123450n` of KES as `1,234.50`; below zero with a leading `-`. */
export function formatAmount(amount: bigint, currency: Currency): string {
  const decimals = decimalsOf(currency);
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${amount < 0n ? '-' : ''}${whole}${decimals ? `.${digits.slice(-decimals)}` : ''}`;
}

/** As people are told: `KES 1,234.50`. */
export function formatMoney(amount: bigint, currency: Currency): string {
  return `${currency} ${formatAmount(amount, currency)}`;
}

/** Reads an amount as operators write it in settings, `1000.00`: minor units, or undefined. At most the currency's decimals, 12 whole digits. */
export function parseAmount(text: string, currency: Currency): MinorUnits | undefined {
  const decimals = decimalsOf(currency);
  const match = /^(\d{1,12})(?:\.(\d+))?$/.exec(text.trim());
  if (!match) return undefined;
  const [, whole = '', fraction = ''] = match;
  if (fraction.length > decimals) return undefined;
  return BigInt(whole + fraction.padEnd(decimals, '0')) as MinorUnits;
}
