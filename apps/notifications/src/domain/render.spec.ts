import { describe, expect, it } from '@jest/globals';
import { EasyPin, Message, minorUnits, OpenRefusal, PaymentStatus, EndReason } from '#libs/contracts';
import type { Currency, MessageOf, Msisdn, Ref, Sealed } from '#libs/contracts';
import * as fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import { renderText } from './render.ts';

const KES = 'KES' as Currency;
/** Three decimals: the longest amounts there are. */
const KWD = 'KWD' as Currency;
const money = minorUnits(999_999_999_999_999n);
const sealed = 'k1.abc' as Sealed;
const ref = 123_456_789 as Ref;
const ada = { number: '+254701234321' as Msisdn, name: 'Ada' };
const ben = { number: '+254712345678' as Msisdn, name: 'Ben' };
const render = (message: Message) => renderText(message, 'en', KES, () => '493817');

const quote: MessageOf<'quote'> = {
  type: 'quote',
  payee: ben,
  amount: minorUnits(2500n),
  fee: minorUnits(10n),
  memo: 'lunch',
  code: sealed,
  minutes: 10,
};
const request: MessageOf<'request'> = { ...quote, type: 'request', payee: ada, hours: 24 };
const received: MessageOf<'received'> = {
  type: 'received',
  payer: ada,
  amount: minorUnits(2500n),
  memo: 'lunch',
  balance: 2500n,
  ref,
};

describe('what people are told', () => {
  it.each<[string, Message]>([
    ['Pay KES 25.00 to B** +254712345678 "lunch", fee KES 0.10? Reply 493817 within 10 min to pay. Not you? Ignore this.', quote],
    [
      'Pay KES 25.00 to +254712345678, no fee? Reply 493817 within 10 min to pay. Not you? Ignore this.',
      { ...quote, payee: { ...ben, name: '' }, memo: '', fee: minorUnits(0n) },
    ],
    [
      'A** +254701234321 asks you for KES 25.00 "lunch", fee KES 0.10. Reply 493817 within 24 h to pay, NO 493817 to decline.',
      request,
    ],
    [
      'You asked B** +254712345678 for KES 25.00 "lunch". They have 24 h to answer. To withdraw it, reply NO 274EG8B',
      { ...request, type: 'request_sent', payer: ben, ref },
    ],
    [
      'Paid KES 25.00 to B** 5678. Balance KES 74.90. Ref 274EG8B',
      { ...received, type: 'paid', payee: ben, fee: minorUnits(10n), balance: 7490n },
    ],
    ['You got KES 25.00 from A** 4321 "lunch". Balance KES 25.00. Ref 274EG8B', received],
    [
      'You got KES 25.00 from **4321. Balance KES 25.00. Ref 274EG8B',
      { ...received, payer: { ...ada, name: '山田' }, memo: '🍕' },
    ],
    [
      'Not paid: KES 25.00 to B** 5678. The code did not come in time. To pay after all, send it again. Ref 274EG8B',
      { type: 'not_paid', way: 'pay', payee: ben, amount: minorUnits(2500n), reason: 'expired', ref },
    ],
    [
      'Not received: KES 25.00 from B** 5678. They declined it. Ref 274EG8B',
      { type: 'not_received', payer: ben, amount: minorUnits(2500n), reason: 'declined', ref },
    ],
    [
      'Welcome to smspay, Ada! Balance KES 1,000.00. To pay, send PAY, the amount and the number. All commands: MENU',
      { type: 'joined', name: 'Ada', balance: 100_000n },
    ],
    ['Balance KES 74.90. For your last payments, send HIST', { type: 'balance', balance: 7490n, held: minorUnits(0n) }],
    [
      'Balance KES 74.90\n-25.00 B** 5678 274EG8B\n+1,000.00 smspay',
      {
        type: 'history',
        balance: 7490n,
        entries: [
          { direction: 'out', amount: minorUnits(2500n), other: ben, ref, at: new Date(0) },
          { direction: 'in', amount: minorUnits(100_000n), at: new Date(0) },
        ],
      },
    ],
    [
      '493817 pays KES 25.00 to B** 5678\nNO 274EG8B withdraws KES 5.00 from A** 4321\nNO and a code declines.',
      {
        type: 'open_list',
        entries: [
          { role: 'payer', other: ben, amount: minorUnits(2500n), code: sealed, ref },
          { role: 'payee', other: ada, amount: minorUnits(500n), ref },
        ],
      },
    ],
    [
      'KES 25.00 to B** 5678: not paid. Your balance is too low. To see it, send BAL. Ref 274EG8B',
      {
        type: 'status',
        role: 'payer',
        other: ben,
        amount: minorUnits(2500n),
        status: 'failed',
        reason: 'insufficient_funds',
        ref,
      },
    ],
    ['Reply 493817 within 10 min to set your PIN. Not you? Ignore this.', { type: 'pin_code', code: sealed, minutes: 10 }],
    [
      'Your PIN was not changed: the old one is wrong. 1 try left, then it is locked for 24 h.',
      { type: 'pin_outcome', outcome: { result: 'wrong', left: 1 } },
    ],
    [
      'Your PIN was not changed: the old one was wrong too often, so it is locked for 5 h. Try again then.',
      { type: 'pin_outcome', outcome: { result: 'locked', until: new Date(0) }, hours: 5 },
    ],
  ])('is %j', (text, message) => expect(render(message)).toBe(text));

  it('does not say to the one who asked that the other has no money', () => {
    const told = render({ type: 'not_received', payer: ben, amount: minorUnits(2500n), reason: 'insufficient_funds', ref });
    expect(told).not.toMatch(/balance|funds|low/i);
  });

  it('shortens the memo, and nothing else, to fit', () => {
    const memo = 'for the school fees of the second term, and the books';
    const told = (amount: bigint) =>
      renderText({ ...quote, amount: minorUnits(amount), fee: minorUnits(amount), memo }, 'en', KES, () => '493817394');
    expect(told(2500n)).toContain(' "for the school fees of the second term, and..."');
    expect(told(99_999_999_999_999n)).toContain(' "for the school fee...",');
    const asked = {
      ...request,
      payee: { ...ada, number: '+254701234567890' as Msisdn },
      amount: money,
      fee: money,
      hours: 100_000,
      memo,
    };
    expect(renderText(asked, 'en', KWD, () => '493817394')).toMatch(/^A\*\* \+254701234567890 asks you for KWD [\d,.]+, fee/);
  });
});

const longName = 'Wolfeschlegelsteinhausenbergerdorff Wolf';
const person = { number: '+254712345678901' as Msisdn, name: longName };
const memo = 'W'.repeat(60);
const ways = ['pay', 'request'] as const;
const roles = ['payer', 'payee'] as const;
const messages = <Type extends Message['type']>(type: Type, ...values: Omit<MessageOf<Type>, 'type'>[]) =>
  values.map((value) => Object.assign({ type }, value) as MessageOf<Type>);
const notUnderstood = Message.options.find((option) => option.shape.type.value === 'not_understood')?.shape;

/** Every text with every reason in it, each with the longest values. */
const LONGEST: { [Type in Message['type']]: MessageOf<Type>[] } = {
  quote: messages('quote', { payee: person, amount: money, fee: money, memo, code: sealed, minutes: 1440 }),
  request_sent: messages('request_sent', { payer: person, amount: money, memo, ref, hours: 720 }),
  request: messages('request', { payee: person, amount: money, fee: money, memo, code: sealed, hours: 720 }),
  paid: messages('paid', { payee: person, amount: money, fee: money, balance: money, ref }),
  received: messages('received', { payer: person, amount: money, memo, balance: money, ref }),
  not_paid: ways.flatMap((way) =>
    EndReason.options.flatMap((reason) => messages('not_paid', { way, payee: person, amount: money, reason, ref })),
  ),
  not_received: EndReason.options.flatMap((reason) => messages('not_received', { payer: person, amount: money, reason, ref })),
  not_opened: [money, minorUnits(0n)].flatMap((fee) =>
    ways.flatMap((way) =>
      OpenRefusal.options.flatMap((reason) =>
        messages('not_opened', { way, other: person, amount: money, fee, balance: money, reason }),
      ),
    ),
  ),
  pin_code: messages('pin_code', { code: sealed, minutes: 1440 }),
  pin_outcome: [
    ...EasyPin.options.map((why) => ({ result: 'too_easy', why }) as const),
    ...[1, 2].map((left) => ({ result: 'wrong', left }) as const),
    ...(['set', 'no_wallet', 'malformed', 'old_needed'] as const).map((result) => ({ result })),
    ...(['being_set', 'withdrawn', 'replaced', 'expired'] as const).map((result) => ({ result })),
    { result: 'locked' as const, until: new Date(0) },
  ].flatMap((outcome) => messages('pin_outcome', { outcome, hours: 24 })),
  joined: messages('joined', { name: longName, balance: money }),
  already_joined: messages('already_joined', { name: longName, balance: money }),
  no_wallet: messages('no_wallet', {}),
  balance: messages('balance', { balance: money, held: money }),
  history: [20, 1, 0].flatMap((count) =>
    messages('history', {
      balance: money,
      entries: Array.from({ length: count }, () => ({
        direction: 'out' as const,
        amount: money,
        other: person,
        ref,
        at: new Date(0),
      })),
    }),
  ),
  status: roles.flatMap((role) =>
    PaymentStatus.options.flatMap((status) =>
      [undefined, ...EndReason.options].flatMap((reason) =>
        messages('status', { role, other: person, amount: money, status, reason: status === 'failed' ? reason : undefined, ref }),
      ),
    ),
  ),
  ref_unknown: messages('ref_unknown', { ref: 'WWWWWWW' }),
  open_list: roles.flatMap((role) =>
    [sealed, undefined].flatMap((code) =>
      messages('open_list', { entries: Array.from({ length: 10 }, () => ({ role, other: person, amount: money, code, ref })) }),
    ),
  ),
  nothing_open: messages('nothing_open', {}),
  wrong_code: messages('wrong_code', {}),
  menu: messages('menu', {}),
  help: messages('help', {}),
  not_understood: (notUnderstood && 'command' in notUnderstood ? notUnderstood.command.options : []).flatMap((command) =>
    (notUnderstood && 'why' in notUnderstood ? notUnderstood.why.options : []).flatMap((why) =>
      messages('not_understood', { command, why }),
    ),
  ),
  text_only: messages('text_only', {}),
};

const segmentOf = (text: string) => {
  const { encodingName, segmentsCount } = new SegmentedMessage(text);
  return { encodingName, segmentsCount };
};
const ONE_SEGMENT = { encodingName: 'GSM-7', segmentsCount: 1 };

describe('every text', () => {
  it.each(Object.entries(LONGEST))('%s fits one GSM-7 segment with the longest values', (_type, longest) => {
    expect(longest.length).toBeGreaterThan(0);
    for (const message of longest) {
      const text = renderText(message, 'en', KWD, () => '493817394');
      expect({ text, ...segmentOf(text) }).toEqual({ text, ...ONE_SEGMENT });
      expect(text).not.toMatch(/undefined|\[object|^\s|\s$|\s\s+(?!\n)/);
    }
  });

  it('that lists things tells at least one of them', () => {
    for (const message of [...LONGEST.history.filter(({ entries }) => entries.length > 0), ...LONGEST.open_list])
      expect(renderText(message, 'en', KWD, () => '493817394')).toContain('999,999,999,999.999 ');
  });

  it('that lists more than fits tells the newest', () => {
    const amounts = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n].map((whole) => minorUnits(whole * 100n));
    const shown = (text: string) => Array.from(text.matchAll(/(\d)\.00/g), ([, whole]) => whole).join('');
    // As `openOf` of transactions lists it, the oldest first; and the wallet a statement, the newest first.
    const open = amounts.map((amount) => ({ role: 'payer' as const, other: ben, amount, code: sealed, ref }));
    const entries = amounts
      .toReversed()
      .map((amount) => ({ direction: 'out' as const, amount, other: ben, ref, at: new Date(0) }));
    expect(shown(render({ type: 'open_list', entries: open }))).toBe('5678');
    expect(shown(render({ type: 'history', balance: 50n, entries }))).toBe('876543');
  });

  const evil = [
    [
      'http://evil.com',
      'evil.com/x',
      'www.evil',
      'ñ.ñet',
      '1.2.3.4',
      '*334#',
      'Reply 493817',
      '4 9 3 8 1 7',
      '٤٩٣٨١٧',
      '４９３８',
    ],
    ['". Balance KES 9,999', '"', '\n', '\0', '\u202e', 'e\u0301', 'ﬁ', 'ß', 'č', '…', '€', '{~}', '🍕', 'a', '.', '7', ' '],
  ].flat();
  const theirWords = fc.oneof(
    fc.array(fc.constantFrom(...evil), { maxLength: 12 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );

  it('is one GSM-7 segment whatever people write, and nobody else’s words can pass for ours', () => {
    fc.assert(
      fc.property(theirWords, theirWords, fc.constantFrom('quote', 'request', 'received', 'joined'), (name, memo, type) => {
        const one: Record<typeof type, Message> = {
          quote: { ...quote, payee: { ...ben, name }, memo },
          request: { ...request, payee: { ...ada, name }, memo },
          received: { ...received, payer: { ...ada, name }, memo },
          joined: { type: 'joined', name: memo, balance: 0n },
        };
        const text = render(one[type]);
        expect({ text, ...segmentOf(text) }).toEqual({ text, ...ONE_SEGMENT });
        expect(text).not.toContain('\n');

        const quotes = text.match(/"/g) ?? [];
        expect([0, 2]).toContain(quotes.length);
        const written = type === 'joined' ? text.slice(17, text.indexOf('!')) : (/"(.*)"/.exec(text)?.[1] ?? '');
        expect(written).not.toMatch(/\p{L}\.[^\s.]|[^\s.]\.\p{L}|\/\/|www|[*#@]|\d(?:[^\p{L}\d]*\d){3}/iu);
      }),
      { numRuns: 1000 },
    );
  });
});
