import { decimalsOf, parseAmount, refOf } from '#libs/contracts';
import type { Currency, Language, MessageOf, MinorUnits, Msisdn, Ref } from '#libs/contracts';
import { Secret } from '#libs/runtime';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import type { CountryCode, NumberType } from 'libphonenumber-js/max';
import { ALL_CURRENCY_WORDS, RESERVED_WORDS, WORDS, wordsOfCurrency } from './words.ts';
import type { Command } from './words.ts';

/** What a text is read with. */
export interface Reading {
  /** Whose national numbers people write. */
  region: CountryCode;
  /** The countries that are served. */
  countries: readonly CountryCode[];
  currency: Currency;
  language: Language;
}

type Why = MessageOf<'not_understood'>['why'];

/** What a text says. */
export type Parsed =
  | { type: 'join'; name: string }
  | { type: 'pay' | 'request'; to: Msisdn; amount: MinorUnits; memo: string }
  | { type: 'code'; code: string }
  | { type: 'no'; of?: { by: 'code'; code: string } | { by: 'ref'; ref: Ref } }
  | { type: 'balance' }
  | { type: 'history' }
  | { type: 'status'; ref: Ref }
  | { type: 'ref_unknown'; ref: string }
  | { type: 'menu' }
  /** Sets a PIN, in the place of the old one if that is given. */
  | { type: 'pin'; old?: Secret; pin: Secret }
  /** A command word was there, and something after it is wrong. */
  | { type: 'not_understood'; command: Command; why: Why }
  /** No command word. */
  | { type: 'unknown' }
  /** Twilio has answered it. */
  | { type: 'reserved' }
  /** Nothing that could be read: no letter and no digit. */
  | { type: 'silence' };

const MEMO_MAX = 60;
const NAME_MAX = 40;

/** What a text says. Total: every string has a meaning, and none throws. */
export function parse(text: string, reading: Reading): Parsed {
  const said = plain(text).replace(/^[^\p{L}\p{N}]+/u, '');
  if (said === '') return { type: 'silence' };
  const code = codeOf(said);
  if (code) return { type: 'code', code };

  const word = /^[\p{L}\p{M}]*/u.exec(said)?.[0].toLowerCase() ?? '';
  const rest = said.slice(word.length).trim();
  if (RESERVED_WORDS.has(word) && bare(rest) === '') return { type: 'reserved' };
  const command = commandOf(word, reading.language);
  switch (command) {
    case 'pay':
    case 'request':
      return transfer(command, rest, reading);
    case 'no':
      return no(rest);
    case 'join':
      return join(rest);
    case 'history':
      return history(rest);
    case 'pin':
      return pin(rest);
    case 'balance':
    case 'menu':
      return hasDigits(rest) ? notUnderstood(command, 'extra_words') : { type: command };
    case undefined:
      return { type: 'unknown' };
    default:
      return command satisfies never;
  }
}

function commandOf(word: string, language: Language): Command | undefined {
  const commands = [WORDS[language], WORDS.en].flatMap(
    (words) => Object.entries(words.commands) as [Command, readonly string[]][],
  );
  return commands.find(([, words]) => words.includes(word))?.[0];
}

const notUnderstood = (command: Command, why: Why): Parsed => ({ type: 'not_understood', command, why });

/** `493817`, `493 817` or nine digits, and nothing else. */
function codeOf(text: string): string | undefined {
  return /^\d{3}[ -]?\d{3}(?:[ -]?\d{3})?$/.exec(bare(text))?.[0].replace(/\D/g, '');
}

/** Words around a code or a ref are harmless (`NO 493817 sorry`), digits are not. A ref has a digit always: 32 bits begin with 2 to 7. */
function no(rest: string): Parsed {
  if (bare(rest) === '') return { type: 'no' };
  const what = rest.split(' ').filter(hasDigits).join(' ');
  const code = codeOf(what);
  if (code) return { type: 'no', of: { by: 'code', code } };
  const ref = refOf(bare(what));
  if (ref !== undefined) return { type: 'no', of: { by: 'ref', ref } };
  return isLikeRef(what) ? { type: 'ref_unknown', ref: asRef(what) } : notUnderstood('no', 'extra_words');
}

function history(rest: string): Parsed {
  const what = rest.split(' ').filter(hasDigits).join(' ');
  if (what === '') return { type: 'history' };
  const ref = refOf(bare(what));
  if (ref !== undefined) return { type: 'status', ref };
  return what.includes(' ') ? notUnderstood('history', 'extra_words') : { type: 'ref_unknown', ref: asRef(what) };
}

/** Letters and digits, as a mistyped ref; digits alone are a mistyped code. */
const isLikeRef = (text: string) => /^(?=.*[a-z])[a-z0-9]+$/i.test(bare(text));
const asRef = (text: string) =>
  text
    .replace(/[^a-z0-9]/gi, '')
    .toUpperCase()
    .slice(0, 7);

/** `PIN 8306`, or the old one and the new one. Nothing else may stand there: a PIN is never guessed, nor what of a text is one. */
function pin(rest: string): Parsed {
  const [, first, second] = /^(\d{4,8})(?: (\d{4,8}))?$/.exec(bare(rest)) ?? [];
  if (first === undefined) return notUnderstood('pin', rest === '' ? 'nothing_given' : 'extra_words');
  if (second === undefined) return { type: 'pin', pin: new Secret(first) };
  return { type: 'pin', old: new Secret(first), pin: new Secret(second) };
}

function join(rest: string): Parsed {
  const name = rest
    .replace(/[^\p{L}\p{M}\p{N}'’. -]/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[^\p{L}\p{N}]+|[ -]+$/gu, '');
  return hasDigits(name) || name.length > NAME_MAX ? notUnderstood('join', 'extra_words') : { type: 'join', name };
}

/** A word of a transfer: digits (of an amount, of a number, or of a part of it), a unit beside an amount, a filler, a mark without meaning, or any other word. */
interface Piece {
  kind: 'digits' | 'unit' | 'filler' | 'mark' | 'word';
  text: string;
  /** Without the punctuation around it. */
  core: string;
}

/** The two orders, as the kinds of the pieces: an amount is one word with its units, the rest is the number. */
const ORDERS = [/^(?<amount>ud|du?)f*(?<number>d+)$/d, /^(?<number>d+)f*(?<amount>ud|du?)$/d];

/**
 * Amount and number come first, in either order, then the memo. Every way to split the digits between amount and number is tried, also
 * that all of them are a number: two possible readings are none, since money is never guessed.
 */
function transfer(command: 'pay' | 'request', rest: string, reading: Reading): Parsed {
  const pieces = piecesOf(rest, reading);
  if (pieces.length === 0) return notUnderstood(command, 'nothing_given');
  const firstWord = pieces.findIndex((piece) => piece.kind === 'word');
  const beforeWords = firstWord < 0 ? pieces : pieces.slice(0, firstWord);
  const headEnd = beforeWords.findLastIndex((piece) => piece.kind === 'digits' || piece.kind === 'unit') + 1;
  const head = pieces.slice(0, headEnd).filter((piece) => piece.kind !== 'mark');
  while (head[0]?.kind === 'filler') head.shift();
  const memo = pieces
    .slice(headEnd)
    .map((piece) => piece.text)
    .join(' ')
    .replace(/^[-,;:.!?\s]+/, '');

  const readings = readingsOf(head, reading);
  const allIsNumber = isNumber(coreOf(head), reading);
  const whole = readings.flatMap(({ amount, to }) => ('amount' in amount && 'to' in to ? [{ ...amount, ...to }] : []));
  const [only] = whole;
  if (!only) return notUnderstood(command, whyNone(head, memo, readings, reading));
  if (whole.length > 1 || allIsNumber || holdsNumber(memo, reading)) return notUnderstood(command, 'ambiguous');
  return { type: command, ...only, memo: cut(memo, MEMO_MAX) };
}

interface SplitReading {
  amount: ReturnType<typeof amountOf>;
  to: ReturnType<typeof numberOf>;
}

function readingsOf(head: Piece[], reading: Reading): SplitReading[] {
  const kinds = head.map((piece) => piece.kind.charAt(0)).join('');
  return ORDERS.flatMap((order) => {
    const { amount, number } = order.exec(kinds)?.indices?.groups ?? {};
    if (!amount || !number) return [];
    return [{ amount: amountOf(head.slice(...amount), reading), to: numberOf(coreOf(head.slice(...number)), reading) }];
  });
}

/** The one thing that is wrong, if it is one; `ambiguous` shows the person the whole form. */
function whyNone(head: Piece[], memo: string, readings: SplitReading[], reading: Reading): Why {
  const digits = head.filter((piece) => piece.kind === 'digits');
  const isOnlyNumber = isNumber(coreOf(head), reading);
  if (digits.length < 2 || isOnlyNumber) {
    if (hasDigits(memo)) return 'extra_words';
    if (digits.length === 0 || isOnlyNumber) return 'no_amount';
    const amount = amountOf(head, reading);
    return 'amount' in amount ? 'no_number' : amount.why;
  }

  const wrong = readings.flatMap(({ amount, to }): Why[] => {
    if ('to' in to && 'why' in amount) return [amount.why];
    if ('amount' in amount && 'why' in to && to.why !== 'no_number') return [to.why];
    return [];
  });
  const [why] = wrong;
  if (!why || wrong.length > 1) return 'ambiguous';
  // `1 000 0712345678`: the number is good, it is the amount that is in two words.
  return why === 'number_impossible' && digits.some((piece) => isNumber(piece.core, reading)) ? 'ambiguous' : why;
}

/** What can never be part of a number or an amount begins the memo. */
function piecesOf(text: string, { currency, language }: Reading): Piece[] {
  const fillers = new Set([...WORDS[language].fillers, ...WORDS.en.fillers]);
  const units = new Set([...wordsOfCurrency(currency), ...ALL_CURRENCY_WORDS, ...WORDS[language].changers, ...WORDS.en.changers]);
  const kindOf = (core: string): Piece['kind'] => {
    const word = core.toLowerCase();
    if (units.has(word) || /^[\p{Sc}%]$/u.test(word)) return 'unit';
    if (fillers.has(word)) return 'filler';
    if (!/[\p{L}\p{N}]/u.test(word)) return 'mark';
    const before = /^\p{L}[^\p{N}]*/u.exec(word)?.[0];
    return hasDigits(word) && (before === undefined || units.has(before)) ? 'digits' : 'word';
  };
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const core = word.replace(/^["'“”‘’:;,]+|["'“”‘’:;,.!?]+$/g, '');
      return { kind: kindOf(core), text: word, core };
    });
}

const coreOf = (pieces: Piece[]) => pieces.map((piece) => piece.core).join(' ');

/** `25`, `1,000.50`, `KES 25`, `25/=`. A comma parts thousands only, and what could be a phone number is no amount. */
function amountOf(pieces: Piece[], reading: Reading): { amount: MinorUnits } | { why: Why } {
  const unclear = { why: 'amount_unclear' } as const;
  const text = pieces.map((piece) => piece.core.toLowerCase()).join('');
  const [, before = '', digits = '', after = ''] = /^(\D*)(\d(?:[\d.,]*\d)?)(\D*)$/.exec(text) ?? [];
  const units = wordsOfCurrency(reading.currency);
  if (![before, after].every((unit) => unit === '' || units.includes(unit))) return unclear;
  if (before === '' && after === '' && isNumber(digits, reading)) return unclear;
  const [, grouped = '', fraction = ''] = /^(0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?$/.exec(digits) ?? [];
  if (grouped === '') return unclear;
  const whole = grouped.replaceAll(',', '');
  if (whole.length > 12) return { why: 'amount_too_large' };
  if (fraction.length > decimalsOf(reading.currency)) return { why: 'amount_too_precise' };
  const amount = parseAmount(fraction ? `${whole}.${fraction}` : whole, reading.currency);
  return amount ? { amount } : { why: 'amount_is_zero' };
}

/** Who can have a wallet: the phone of a person. No toll-free and premium numbers, no landlines. */
const PERSONAL: ReadonlySet<NumberType> = new Set<NumberType>(['MOBILE', 'FIXED_LINE_OR_MOBILE']);

/** Parts of at least two digits, but for a country code: so neither `0.10` nor the `8` of `071234567 8 pizzas` is part of a number. */
const NUMBER = /^(?:\+\d+|[17](?=[ (-])|\(?\d{2,})(?:[ ().-]+\d{2,})*$/;

/**
 * A number as people dial it, in one word or several: national (`0712 345 678`), international (`+254…`, `00254…`, `254…`). Fewer than
 * five digits are not meant as a number.
 */
function numberOf(text: string, { region, countries }: Reading): { to: Msisdn } | { why: Why } {
  if (text.replace(/\D/g, '').length < 5) return { why: 'no_number' };
  const dialled = text.replace('(0)', '');
  if (!NUMBER.test(dialled)) return { why: 'number_impossible' };
  const digits = dialled.replace(/[^\d+]/g, '').replace(/^000?(?=[1-9])/, '+');
  const candidates = /^[+0]/.test(digits) ? [digits] : [digits, `+${digits}`];
  const possible = candidates
    .map((candidate) => parsePhoneNumberFromString(candidate, { defaultCountry: region, extract: false }))
    .filter((number) => number !== undefined)
    .filter((number) => number.isValid() && PERSONAL.has(number.getType()));
  const served = possible.filter(({ country }) => country && countries.includes(country)).map(({ number }) => number);
  const [to, other = to] = served;
  if (to !== other) return { why: 'ambiguous' };
  if (to) return { to: to as string as Msisdn };
  return { why: possible.length > 0 ? 'country_not_served' : 'number_impossible' };
}

const isNumber = (text: string, reading: Reading) => 'to' in numberOf(text, reading);

/** A second number in the memo makes it two possible readings. */
function holdsNumber(memo: string, reading: Reading): boolean {
  const runs = memo.match(/\+?\d[\d ().-]{5,}\d/g) ?? [];
  return [...runs, ...memo.split(' ')].some((digits) => isNumber(digits, reading));
}

const hasDigits = (text: string) => /\p{N}/u.test(text);

/** Without what is neither letter nor digit at both ends. */
const bare = (text: string) => text.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');

/** At most `length` characters, and no half of one. */
const cut = (text: string, length: number) =>
  text
    .slice(0, length)
    .replace(/\p{Cs}$/u, '')
    .trim();

/** The decimal digits of every script that the platform knows. */
const DIGITS = new Map(
  Intl.supportedValuesOf('numberingSystem').flatMap((numberingSystem) => {
    const digits = Intl.NumberFormat('en', { numberingSystem, useGrouping: false }).format(9_876_543_210);
    return Array.from(digits, (digit, index) => [digit, String(9 - index)] as const);
  }),
);

/**
 * One line, with ASCII digits and single spaces. Invisible characters (directions, joiners) vanish; control characters and half
 * characters part words, as do emoji. Other forms of digits (`²`, `½`) stay what they are: folded, they would change an amount.
 */
function plain(text: string): string {
  return text
    .replace(/\p{Nd}/gu, (digit) => DIGITS.get(digit) ?? digit)
    .replace(/[\uFF01-\uFF5E]/g, (wide) => wide.normalize('NFKC'))
    .replace(/[\p{Pd}\u2212]/gu, '-')
    .replace(/[\p{Cf}\p{VS}]/gu, '')
    .replace(/\p{C}/gu, ' ')
    .replace(/\p{ExtPict}+/gu, ' $& ')
    .replace(/\s+/g, ' ')
    .trim();
}
