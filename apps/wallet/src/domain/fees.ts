import { type Currency, formatAmount, minorUnits, type MinorUnits, parseAmount } from '#libs/contracts';
import { z } from 'zod';

/** What a payment costs up to an amount, in minor units. */
export interface FeeTier {
  /** Included; undefined in the last tier, which has no end. */
  upTo: MinorUnits | undefined;
  fee: MinorUnits;
}

/** The fee of a payment in minor units, on top of the amount. A tier includes its upper bound. */
export function feeOf(amount: MinorUnits, tiers: readonly FeeTier[]): MinorUnits {
  return tiers.find(({ upTo }) => upTo === undefined || amount <= upTo)?.fee ?? minorUnits(0n);
}

const FeesFile = z.array(z.strictObject({ upTo: z.string().optional(), fee: z.string() }));

/** Reads tiers as operators write them, `[{ "upTo": "100.00", "fee": "0.10" }, { "fee": "2.00" }]`. Throws with one line that says what is wrong. */
export function feeTiers(json: unknown, currency: Currency): FeeTier[] {
  const file = FeesFile.safeParse(json);
  if (!file.success) throw new Error('must be a list of tiers, [{ "upTo": "100.00", "fee": "0.10" }, …, { "fee": "2.00" }]');

  const tiers = file.data.map(({ upTo, fee }, n) => ({
    upTo: upTo === undefined ? undefined : amountOf(upTo, `tier ${n + 1}: upTo`, currency),
    fee: amountOf(fee, `tier ${n + 1}: fee`, currency),
  }));
  tiers.forEach(({ upTo }, n) => {
    const isLast = n === tiers.length - 1;
    if (isLast && upTo !== undefined)
      throw new Error(`tier ${n + 1}: the last tier must have no upTo, got ${file.data[n]?.upTo}`);
    if (!isLast && upTo === undefined) throw new Error(`tier ${n + 1}: only the last tier may have no upTo`);
    const before = tiers[n - 1]?.upTo;
    if (upTo !== undefined && before !== undefined && upTo <= before) {
      throw new Error(
        `tier ${n + 1}: upTo must be above that of the tier before (${formatAmount(before, currency)}), got ${file.data[n]?.upTo}`,
      );
    }
  });
  return tiers;
}

function amountOf(text: string, what: string, currency: Currency): MinorUnits {
  const amount = parseAmount(text, currency);
  if (amount === undefined)
    throw new Error(`${what} must be an amount of ${currency} such as ${formatAmount(10_000n, currency)}, got ${text}`);
  return amount;
}
