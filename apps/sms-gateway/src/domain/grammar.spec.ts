import { describe, expect, it } from '@jest/globals';
import { formatAmount, minorUnits, refText } from '#libs/contracts';
import type { Currency, Msisdn, Ref } from '#libs/contracts';
import * as fc from 'fast-check';
import { parse } from './grammar.ts';
import type { Parsed, Reading } from './grammar.ts';

const kenya: Reading = { region: 'KE', countries: ['KE', 'UG'], currency: 'KES' as Currency, language: 'en' };
const ben = '+254712345678' as Msisdn;
const pays = (amount: bigint, memo = '', to = ben): Parsed => ({ type: 'pay', to, amount: minorUnits(amount), memo });
const asksBack = (why: string, command = 'pay') => ({ type: 'not_understood', command, why });
const read = (text: string) => parse(text, kenya);

describe('the commands', () => {
  it.each<[string, Parsed]>([
    ['JOIN', { type: 'join', name: '' }],
    ['join Ada', { type: 'join', name: 'Ada' }],
    ['Join: Ada Lovelace-Ó’Neil Jr. 🎉', { type: 'join', name: 'Ada Lovelace-Ó’Neil Jr.' }],
    ['BAL', { type: 'balance' }],
    ['balance?', { type: 'balance' }],
    ['Bal please', { type: 'balance' }],
    ['HIST', { type: 'history' }],
    ['history.', { type: 'history' }],
    ['menu', { type: 'menu' }],
    ['NO', { type: 'no' }],
    ['No.', { type: 'no' }],
    ['no 493817', { type: 'no', of: { by: 'code', code: '493817' } }],
    ['NO 493 817 sorry', { type: 'no', of: { by: 'code', code: '493817' } }],
    ['NO, 493817394!', { type: 'no', of: { by: 'code', code: '493817394' } }],
    ['493817', { type: 'code', code: '493817' }],
    [' 493 817. ', { type: 'code', code: '493817' }],
    ['493-817', { type: 'code', code: '493817' }],
    ['493817394', { type: 'code', code: '493817394' }],
    ['493 817 394', { type: 'code', code: '493817394' }],
    ['٤٩٣٨١٧', { type: 'code', code: '493817' }],
  ])('reads %j', (text, parsed) => expect(read(text)).toEqual(parsed));

  it.each<[string, string, string | undefined]>([
    ['PIN 8306', '8306', undefined],
    ['pin: 83069274', '83069274', undefined],
    ['PIN8306.', '8306', undefined],
    ['  Pin   8306   9417 ', '9417', '8306'],
    ['PIN ٨٣٠٦', '8306', undefined],
  ])('reads the PIN in %j', (text, pin, old) => {
    const parsed = read(text);
    if (parsed.type !== 'pin') throw new Error(`read as ${parsed.type}`);
    expect([parsed.pin.reveal(), parsed.old?.reveal()]).toEqual([pin, old]);
    expect(JSON.stringify(parsed)).not.toMatch(/\d/);
  });

  it('asks back for anything else after PIN', () => {
    expect(read('PIN')).toEqual(asksBack('nothing_given', 'pin'));
    const others = [
      '123',
      '123456789',
      '12a4',
      '8306 please',
      'is 8306',
      '8306 9417 5027',
      '8306-9417',
      '8306 123',
      'x',
      '?',
      '12 34',
    ];
    for (const other of others) expect([other, read(`PIN ${other}`)]).toEqual([other, asksBack('extra_words', 'pin')]);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (words) => {
        const parsed = read(`PIN ${words}`);
        if (parsed.type === 'pin')
          expect([parsed.pin, parsed.old ?? parsed.pin].every((each) => /^\d{4,8}$/.test(each.reveal()))).toBe(true);
        else expect(parsed.type === 'not_understood' ? parsed.command : 'pin').toBe('pin');
      }),
    );
  });

  it('reads a ref after NO and HIST, and says which one it does not know', () => {
    const ref = 123_456_789 as Ref;
    expect(read(`NO ${refText(ref).toLowerCase()} thanks`)).toEqual({ type: 'no', of: { by: 'ref', ref } });
    expect(read(`HIST #${refText(ref)}.`)).toEqual({ type: 'status', ref });
    expect(read('NO 4K7MP2')).toEqual({ type: 'ref_unknown', ref: '4K7MP2' });
    expect(read('hist k7mp2q')).toEqual({ type: 'ref_unknown', ref: 'K7MP2Q' });
    expect(read('hist 712345678')).toEqual({ type: 'ref_unknown', ref: '7123456' });
  });

  it.each([
    ['NO thanks', 'no'],
    ['NO payment', 'no'],
    ['NO 49381', 'no'],
    ['NO 493817 for 2 pizzas', 'no'],
    ['HIST 2K7MP2Q 25', 'history'],
    ['BAL 1234', 'balance'],
    ['MENU 2', 'menu'],
    ['JOIN Ada2', 'join'],
    [`JOIN ${'a'.repeat(41)}`, 'join'],
  ])('says that %j has too many words', (text, command) => expect(read(text)).toEqual(asksBack('extra_words', command)));

  it.each([
    'hello',
    'Payday 25 0712345678',
    '25 0712345678',
    '49381',
    '4938170',
    '+254712345678',
    'HELP me',
    'N0 493817',
    'do not pay',
  ])('knows no command in %j', (text) => expect(read(text)).toEqual({ type: 'unknown' }));

  it.each(['stop', 'STOP.', ' Yes! ', 'Unsubscribe', 'HELP', 'info', '"START"'])('leaves %j to Twilio', (text) =>
    expect(read(text)).toEqual({ type: 'reserved' }),
  );

  it.each(['', '   ', '\0', '👍', '?!', '\u202e\u200f', '\ud83d'])('is silent about %j', (text) =>
    expect(read(text)).toEqual({ type: 'silence' }),
  );
});

describe('a payment', () => {
  it.each([
    'PAY 25 0712345678 lunch',
    'pay 0712345678 25 lunch',
    'Send 25 to 0712345678 lunch',
    'send to 0712345678, 25: lunch',
    'PAY25 0712345678 lunch',
    'pay:25,  0712345678 - lunch',
    'PAY\n25\n0712345678\nlunch',
    '“PAY” 25 0712345678 lunch',
    'PAY 25 0712 345 678 lunch',
    'PAY 0712-345-678 25 lunch',
    'PAY 25 (0712) 345678 lunch',
    'PAY 25 0712.345.678 lunch',
    'PAY 712345678 25 lunch',
    'PAY 25 +254712345678 lunch',
    'PAY +254 712 345 678 25 lunch',
    'PAY 25 +254 (0)712 345678 lunch',
    'PAY 25 00254712345678 lunch',
    'PAY 25 000254712345678 lunch',
    'PAY 25 254712345678 lunch',
    'PAY 254 712 345 678 25 lunch',
    'PAY 25.00 0712345678 lunch',
    'PAY 25.0 0712345678 lunch',
    'PAY KES 25 0712345678 lunch',
    'PAY 25 kes to 0712345678 lunch',
    'PAY KES25 0712345678 lunch',
    'PAY 0712345678 25KES lunch',
    'PAY 0712345678 Ksh 25 lunch',
    'PAY Ksh. 25 0712345678 lunch',
    'PAY Ksh.25 0712345678 lunch',
    'PAY 25/= 0712345678 lunch',
    'PAY 0712345678 25 /- lunch',
    'PAY 25 shillings 0712345678 lunch',
    'PAY "25" 0712345678! lunch',
    'ＰＡＹ　２５　０７１２３４５６７８ lunch',
    'PAY ٢٥ ٠٧١٢٣٤٥٦٧٨ lunch',
    'PAY २५ ०७१२३४५६७८ lunch',
    'PAY \u200f25 \u202a0712345678\u202c lunch',
    'PAY \u202d25\0 0712345678 lunch',
    'PAY 💰25💰 0712345678 lunch',
  ])('reads %j', (text) => expect(read(text)).toEqual(pays(2500n, 'lunch')));

  it.each<[string, bigint]>([
    ['1,000', 100_000n],
    ['1,234,567.5', 123_456_750n],
    ['25.50', 2550n],
    ['0.01', 1n],
    ['999,999,999,999.99', 99_999_999_999_999n],
    ['KES 712345678', 71_234_567_800n],
    ['712,345,678', 71_234_567_800n],
  ])('reads the amount %s', (text, amount) => {
    expect(read(`PAY ${text} 0712345678`)).toEqual(pays(amount));
    expect(read(`PAY 0712345678 ${text}`)).toEqual(pays(amount));
  });

  it.each([
    ['PAY', 'nothing_given'],
    ['Pay attention', 'no_amount'],
    ['SEND to', 'no_amount'],
    ['PAY KES', 'no_amount'],
    ['PAY 0712345678', 'no_amount'],
    ['PAY to 0712 345 678 lunch', 'no_amount'],
    ['PAY 25', 'no_number'],
    ['PAY to KES 25 lunch', 'no_number'],
    ['PAY 25 lunch for 2', 'extra_words'],
    ['PAY Ben 25 0712345678', 'extra_words'],
    ['PAY 25 for lunch 0712345678', 'extra_words'],
    ['PAY 0712345678 lunch 25', 'extra_words'],
    ['PAY 0', 'amount_is_zero'],
    ['PAY 0 0712345678', 'amount_is_zero'],
    ['PAY 0712345678 0.00', 'amount_is_zero'],
    ['PAY 1000000000000 0712345678', 'amount_too_large'],
    ['PAY 0712345678 9,999,999,999,999', 'amount_too_large'],
    ['PAY 1.000 0712345678', 'amount_too_precise'],
    ['PAY 0712345678 25.505', 'amount_too_precise'],
    ['PAY 0712345678 25,50', 'amount_unclear'],
    ['PAY 25,50 0712345678', 'amount_unclear'],
    ['PAY 25,50', 'amount_unclear'],
    ['PAY 1,00,000 0712345678', 'amount_unclear'],
    ['PAY 0,500 0712345678', 'amount_unclear'],
    ['PAY -25 0712345678', 'amount_unclear'],
    ['PAY −25 0712345678', 'amount_unclear'],
    ['PAY-25 0712345678', 'amount_unclear'],
    ['PAY .25 0712345678', 'amount_unclear'],
    ['PAY 025 0712345678', 'amount_unclear'],
    ['PAY 1e9 0712345678', 'amount_unclear'],
    ['PAY 25k 0712345678', 'amount_unclear'],
    ['PAY 25 thousand 0712345678', 'amount_unclear'],
    ['PAY 0712345678 25 thousand', 'amount_unclear'],
    ['PAY 0712345678 25 cents', 'amount_unclear'],
    ['PAY 0712345678 25 or so', 'amount_unclear'],
    ['PAY USD 25 0712345678', 'amount_unclear'],
    ['PAY 0712345678 25 dollars', 'amount_unclear'],
    ['PAY $25 0712345678', 'amount_unclear'],
    ['PAY 0712345678 25 €', 'amount_unclear'],
    ['PAY 0712345678 25%', 'amount_unclear'],
    ['PAY 25² 0712345678', 'amount_unclear'],
    ['PAY 0712345678 25½', 'amount_unclear'],
    ['PAY 25,0712345678', 'amount_unclear'],
    ['PAY 25 07123456', 'number_impossible'],
    ['PAY 071234567890 25', 'number_impossible'],
    ['PAY 25 40404', 'number_impossible'],
    ['PAY 25 0202345678', 'number_impossible'],
    ['PAY 25 0900223456', 'number_impossible'],
    ['PAY 25 +999712345678', 'number_impossible'],
    ['PAY 25 07123x5678', 'number_impossible'],
    ['PAY 25 +447911123456', 'country_not_served'],
    ['PAY 447911123456 25', 'country_not_served'],
    ['PAY 25 50', 'ambiguous'],
    ['PAY 5 071234567 8 pizzas', 'ambiguous'],
    ['PAY 1 000 0712345678', 'ambiguous'],
    ['PAY 0712345678 1 000', 'ambiguous'],
    ['PAY 0712345678 25 50', 'ambiguous'],
    ['PAY 0712345678 25 ½', 'ambiguous'],
    ['PAY 25 0712345678 2 pizzas', 'ambiguous'],
    ['PAY 25 0712345678 KES', 'ambiguous'],
    ['PAY 0712345678 0722345678', 'ambiguous'],
    ['PAY 712345678 722345678', 'ambiguous'],
    ['PAY KES 712345678 KES 722345678', 'ambiguous'],
    ['PAY 712345678 KES 722345678', 'ambiguous'],
    ['PAY 254 712 345 678', 'ambiguous'],
    ['PAY 254 712345678', 'ambiguous'],
    ['PAY 25 0712345678 not 0722 345 678', 'ambiguous'],
    ['PAY 25 0712345678 not 0722345678 0733345678', 'ambiguous'],
    ['PAY 0712345678 25 to 30', 'ambiguous'],
  ])('asks back after %j: %s', (text, why) => expect(read(text)).toEqual(asksBack(why)));

  it('asks back where a number is one of two countries that are served', () => {
    const reading: Reading = { ...kenya, region: 'US', countries: ['US', 'SG'] };
    expect(parse('PAY 25 6595693607', reading)).toEqual(asksBack('ambiguous'));
    expect(parse('PAY 25 +6595693607', reading)).toEqual(pays(2500n, '', '+6595693607' as Msisdn));
    expect(parse('PAY 25 6595693607', { ...reading, countries: ['US'] })).toEqual(pays(2500n, '', '+16595693607' as Msisdn));
  });

  it('asks back where a country code could be the amount', () => {
    const america: Reading = { region: 'US', countries: ['US'], currency: 'USD' as Currency, language: 'en' };
    expect(parse('PAY 1 (212) 555-2368', america)).toEqual(asksBack('ambiguous'));
    expect(parse('PAY $1 (212) 555-2368', america)).toEqual(pays(100n, '', '+12125552368' as Msisdn));
    expect(parse('PAY 25 1 212 555 2368', america)).toEqual(pays(2500n, '', '+12125552368' as Msisdn));
  });

  it('reads a currency without decimals', () => {
    const japan: Reading = { region: 'JP', countries: ['JP'], currency: 'JPY' as Currency, language: 'en' };
    expect(parse('PAY 2500 09012345678', japan)).toEqual(pays(2500n, '', '+819012345678' as Msisdn));
    expect(parse('PAY 2500.00 09012345678', japan)).toEqual(asksBack('amount_too_precise'));
  });

  it('asks for money by the same rules', () => {
    expect(read('ASK 25 from 0712345678 lunch')).toEqual({ ...pays(2500n, 'lunch'), type: 'request' });
    expect(read('Request 25')).toEqual(asksBack('no_number', 'request'));
  });
});

describe('a memo', () => {
  it.each([
    ['for lunch with A4 paper 🍕', 'for lunch with A4 paper 🍕'],
    ['🍕🍕', '🍕🍕'],
    ['- rent, house 12', 'rent, house 12'],
    ['to Ben', 'to Ben'],
    ['a\0b\u202ec\td', 'a bc d'],
    [`${'x'.repeat(59)}🍕`, 'x'.repeat(59)],
    ['y'.repeat(1600), 'y'.repeat(60)],
  ])('of %j is %j', (text, memo) => expect(read(`PAY 25 0712345678 ${text}`)).toEqual(pays(2500n, memo)));
});

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((units) => String.fromCharCode(...units)),
);
const command = fc.constantFrom('PAY', 'send', 'Request', 'ask', 'NO', 'join', 'BAL', 'hist', 'menu');
const messyWord = fc.oneof(
  fc.constantFrom(
    '25',
    '1,000',
    '25,50',
    'KES',
    '/=',
    'to',
    '0712345678',
    '0712',
    '345',
    '678',
    '+254',
    '254',
    '712345678',
    '-',
    '.',
    '½',
    'lunch',
    '🍕',
  ),
  anyText,
);

/** A valid number in one of the forms that people write, whole or in words. */
const nationalDigits = fc
  .tuple(fc.constantFrom('70', '71', '72', '79', '110', '111'), fc.integer({ min: 0, max: 9_999_999 }))
  .map(([start, rest]) => (start + String(rest).padStart(7, '0')).slice(0, 9));
const number = nationalDigits.chain((digits) => {
  const parts = [digits.slice(0, 3), digits.slice(3, 6), digits.slice(6)];
  const forms = ['0', '+254', '00254', '254', '+254 ', '(0)', ''].flatMap((start) =>
    [' ', '-', '', '.'].map((by) => start + parts.join(by)),
  );
  return fc.record({ to: fc.constant(`+254${digits}` as Msisdn), text: fc.constantFrom(...forms) });
});
const amount = fc.bigInt({ min: 1n, max: 99_999_999_999_999n }).chain((minor) => {
  const grouped = formatAmount(minor, kenya.currency);
  const forms = [grouped, grouped.replaceAll(',', '')].flatMap((text) => [
    text,
    `KES ${text}`,
    `${text}KES`,
    `Ksh.${text}`,
    `${text}/=`,
    `"${text}"`,
  ]);
  return fc.record({ amount: fc.constant(minorUnits(minor)), text: fc.constantFrom(...forms) });
});
const memo = fc.constantFrom('', 'lunch', 'for rent', 'school fees term 2');

const theirs = (parsed: Parsed) => ('to' in parsed ? { to: parsed.to, amount: parsed.amount } : undefined);

describe('every text', () => {
  it('has a meaning', () => {
    const anything = fc.oneof(
      anyText,
      fc.tuple(command, fc.array(messyWord, { maxLength: 8 })).map(([word, words]) => [word, ...words].join(' ')),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = read(text);
        expect(typeof parsed.type).toBe('string');
        if ('to' in parsed)
          expect([parsed.amount > 0n, parsed.memo.length <= 60, /\p{C}/u.test(parsed.memo)]).toEqual([true, true, false]);
      }),
      { numRuns: 2000 },
    );
  });

  it('of 1,600 characters has one, fast', () => {
    for (const part of ['1', '1 ', '07', ' 0712345678', '1,', '-', '🍕', 'KES', '()', '\0'])
      expect(typeof read(`PAY ${part.repeat(1600 / part.length)}`).type).toBe('string');
  });

  it('with one amount and one number is one payment, in either order and in any form', () => {
    fc.assert(
      fc.property(
        amount,
        number,
        memo,
        fc.constantFrom(' ', '  ', ', ', '\n', ' to '),
        fc.boolean(),
        (amount, number, memo, by, amountFirst) => {
          const words = amountFirst ? [amount.text, number.text] : [number.text, amount.text];
          expect(read(`pay ${words.join(by)} ${memo}`)).toEqual(pays(amount.amount, memo, number.to));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('with one more word, or one less, never moves another amount, or to another number', () => {
    const words = fc.tuple(amount, number, memo, fc.boolean()).map(([amount, number, memo, amountFirst]) => ({
      amount: amount.amount,
      to: number.to,
      words: [...(amountFirst ? [amount.text, number.text] : [number.text, amount.text]), memo].join(' ').split(' '),
    }));
    const oneWord = fc.oneof(
      messyWord.filter((word) => !/[\s\p{C}\p{ExtPict}]/u.test(word)),
      fc.nat().map(String),
    );
    fc.assert(
      fc.property(words, fc.nat(), oneWord, fc.boolean(), ({ words, ...expected }, at, extra, more) => {
        const index = at % (words.length + 1);
        const changed = read(`pay ${(more ? words.toSpliced(index, 0, extra) : words.toSpliced(index, 1)).join(' ')}`);
        expect([undefined, expected]).toContainEqual(theirs(changed));
      }),
      { numRuns: 5000 },
    );
  });

  it('with two numbers or two amounts moves nothing', () => {
    fc.assert(
      fc.property(
        fc.constantFrom([0, 1, 2], [0, 2, 1], [2, 0, 1]),
        amount,
        amount,
        number,
        number,
        (order, one, two, first, second) => {
          fc.pre(first.to !== second.to);
          for (const words of [
            [first.text, second.text, one.text],
            [one.text, two.text, first.text],
          ]) {
            const text = order.map((index) => words[index]).join(' ');
            expect(theirs(read(`pay ${text}`))).toBeUndefined();
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
