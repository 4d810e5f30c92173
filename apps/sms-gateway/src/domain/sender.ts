import { Msisdn } from '#libs/contracts';
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js';

/** Who sent an SMS: a phone that is served, or why it is met with silence (short codes, names, foreign numbers: an answer could be abused or is costly). */
export function senderOf(
  from: string,
  countries: readonly CountryCode[],
): { number: Msisdn } | { silence: 'sender_is_no_phone' | 'country_not_served' } {
  const number = Msisdn.safeParse(from);
  const phone = number.success ? parsePhoneNumberFromString(from) : undefined;
  if (!number.success || !phone?.isPossible()) return { silence: 'sender_is_no_phone' };
  const served = phone.country
    ? countries.includes(phone.country)
    : countries.some((country) => phone.getPossibleCountries().includes(country));
  return served ? { number: number.data } : { silence: 'country_not_served' };
}
