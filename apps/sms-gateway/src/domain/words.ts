import type { Currency, Language, MessageOf } from '#libs/contracts';

/** The commands that begin with a word; a code alone is the one that does not. */
export type Command = MessageOf<'not_understood'>['command'];

/** The words of one language, in lower case. */
export interface Words {
  commands: Record<Command, readonly string[]>;
  /** What may stand before an amount or a number and means nothing: `PAY 25 to 0712345678`. */
  fillers: readonly string[];
  /** What beside an amount may make it another one: `25 thousand`, `25 or 30`. Such an amount is asked back. */
  changers: readonly string[];
}

/** A language is one entry here. The English words work in every language. */
export const WORDS: Record<Language, Words> = {
  en: {
    commands: {
      pay: ['pay', 'send'],
      request: ['request', 'ask'],
      no: ['no'],
      join: ['join'],
      balance: ['bal', 'balance'],
      history: ['hist', 'history'],
      menu: ['menu'],
      pin: ['pin'],
    },
    fillers: ['to', 'from'],
    changers: [
      'hundred',
      'thousand',
      'million',
      'billion',
      'k',
      'm',
      'cent',
      'cents',
      'point',
      'half',
      'and',
      'or',
      'x',
      'times',
      'each',
    ],
  },
};

/** How people write a currency, beside its ISO code. One that is not the system's own is known too, so that `25 USD` is never 25 KES. */
const CURRENCY_WORDS: Record<string, readonly string[]> = {
  EUR: ['€', 'euro', 'euros'],
  GBP: ['£', 'pounds'],
  GHS: ['₵', 'cedi', 'cedis'],
  INR: ['₹', 'rs', 'rs.', 'rupees'],
  KES: ['ksh', 'ksh.', 'kshs', 'kshs.', 'sh', 'sh.', 'shs', 'shs.', 'shilling', 'shillings', '/=', '/-'],
  NGN: ['₦', 'naira'],
  RWF: ['frw', 'francs'],
  TZS: ['tsh', 'tsh.', 'tshs', 'tshs.', 'sh', 'sh.', 'shs', 'shs.', 'shilling', 'shillings', '/=', '/-'],
  UGX: ['ush', 'ush.', 'ushs', 'ushs.', 'sh', 'sh.', 'shs', 'shs.', 'shilling', 'shillings', '/=', '/-'],
  USD: ['$', 'us$', 'dollar', 'dollars'],
  XAF: ['fcfa', 'francs'],
  XOF: ['cfa', 'fcfa', 'francs'],
  ZAR: ['rand', 'rands'],
};

/** The words and signs of a currency, its ISO code among them, in lower case. */
export function wordsOfCurrency(currency: Currency): readonly string[] {
  return [currency.toLowerCase(), ...(CURRENCY_WORDS[currency] ?? [])];
}

export const ALL_CURRENCY_WORDS = Object.keys(CURRENCY_WORDS).flatMap((code) => wordsOfCurrency(code as Currency));

/** Twilio answers these itself when they are the whole text (docs/design.md, "The plain-text language"); none is a word of any language here. */
export const RESERVED_WORDS: ReadonlySet<string> = new Set([
  'stop',
  'stopall',
  'unsubscribe',
  'cancel',
  'end',
  'quit',
  'revoke',
  'optout',
  'start',
  'yes',
  'unstop',
  'help',
  'info',
]);
