import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConversationBook, type Phone, Town } from '#libs/testing';

/** A code as a quote or a request carries it. */
const QUOTE = /Reply (\d{6}) within/;
const REF = /Ref ([2-9A-Z]{7})$/;

/** The number as people write it at home. */
const local = (phone: Phone) => phone.number.replace('+254', '0');

describe('conversations', () => {
  const book = new ConversationBook();
  let town: Town;

  beforeAll(async () => {
    town = await Town.open();
  });
  afterEach(async () => {
    await town.checkInvariants();
    book.chapter(expect.getState().currentTestName?.replace('conversations ', '') ?? '', town);
  });
  afterAll(async () => {
    await town.close();
    if (!process.argv.includes('-t')) book.write();
  });

  it('one opens a wallet', async () => {
    const ada = town.phone('Ada');
    await ada.sends('JOIN Ada');
    await ada.receives(/^Welcome to smspay, Ada! Balance KES 0\.00\./);
    await ada.sends('join');
    await ada.receives(/^You have a wallet already, Ada\. Balance KES 0\.00\./);
  });

  it('one pays a friend', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 25 ${local(ben)} lunch`);
    const [, code = ''] = await ada.receives(
      new RegExp(`^Pay KES 25\\.00 to B\\*\\* \\${ben.number} "lunch", fee KES 0\\.10\\? Reply (\\d{6})`),
    );
    await ada.sends(code);
    const [, ref] = await ada.receives(
      new RegExp(`^Paid KES 25\\.00 to B\\*\\* ${ben.number.slice(-4)}\\. Balance KES 74\\.90\\. Ref (\\w{7})$`),
    );
    await ben.receives(`You got KES 25.00 from A** ${ada.number.slice(-4)} "lunch". Balance KES 25.00. Ref ${ref}`);
    await ada.sends('BAL');
    await ada.receives(/^Balance KES 74\.90\./);
    await ada.sends('HIST');
    await ada.receives(new RegExp(`-25\\.00 B\\*\\* .*${ref}`));
    await ben.sends(`HIST ${ref}`);
    await ben.receives(/paid/);
  });

  it('one asks a friend for money, who agrees', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ben.sends(`request ${local(ada)} 1,0 taxi`);
    await ben.receives(/nothing was done/i);
    await ben.sends(`request ${local(ada)} 10/= taxi`);
    await ben.receives(/^You asked A\*\* .* for KES 10\.00 "taxi"/);
    const [, code = ''] = await ada.receives(QUOTE);
    await ada.sends(code);
    await ada.receives(/^Paid KES 10\.00 .*Balance KES 89\.90/);
    await ben.receives(/^You got KES 10\.00 .*Balance KES 10\.00/);
  });

  it('one asks a friend for money, who declines', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ben.sends(`ASK KES 10 ${ada.number}`);
    await ben.receives(/^You asked/);
    const [, code = ''] = await ada.receives(QUOTE);
    await ada.sends(`no ${code}`);
    await ada.receives(/You declined it/);
    await ben.receives(/They declined it/);
    await ada.sends(code);
    await ada.receives(/declined, nothing was paid/);
  });

  it('one withdraws what one asked for', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ben.sends(`ASK 10 ${local(ada)}`);
    const [, ref = ''] = await ben.receives(/NO (\w{7})$/);
    const [, code = ''] = await ada.receives(QUOTE);
    await ben.sends(`NO ${ref}`);
    await ben.receives(/You withdrew it/);
    await ada.receives(/They withdrew it/);
    await ada.sends(code);
    await ada.receives(/withdrawn, nothing was paid/);
  });

  it('one thinks better of a payment', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`SEND 10 ${local(ben)}`);
    await ada.receives(QUOTE);
    await ada.sends('NO');
    const [, code = ''] = await ada.receives(/(\d{6}) pays KES 10\.00/);
    // A list with a code is sent no longer than that counts.
    const payment = await town.db('transactions').collection('payments').findOne({ 'payer.number': ada.number });
    const [list] = await town.db('sms-gateway').collection('outbox').find({ to: ada.number }).sort({ createdAt: -1 }).toArray();
    expect(list).toMatchObject({ carriesCode: true, dropAt: payment?.['endsAt'] as Date });
    await ada.sends(`NO ${code}`);
    await ada.receives(/You cancelled it/);
    await ada.sends('NO');
    await ada.receives(/^Nothing waits/);
  });

  it('one who was asked has not enough', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '5.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ben.sends(`ASK 10 ${local(ada)}`);
    await ben.receives(/^You asked/);
    const [, code = ''] = await ada.receives(QUOTE);
    await ada.sends(code);
    await ada.receives(/^Not paid: KES 10\.00 .*balance is too low/);
    await ben.receives(/^Not received: KES 10\.00/);
    expect(await ada.balance()).toBe('5.00');
  });

  it('one has not enough, or pays oneself, or somebody without a wallet', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '25.00' });
    const ben = await town.joins({ name: 'Ben' });
    const stranger = town.phone('Zoe');
    await ada.sends(`PAY 25 ${local(ben)}`);
    await ada.receives(/^Not paid: KES 25\.00 and the fee KES 0\.10 are more than your balance KES 25\.00/);
    await ada.sends(`PAY 1 ${local(ada)}`);
    await ada.receives(/your own number/);
    await ada.sends(`PAY 1 ${local(stranger)}`);
    await ada.receives(/has no wallet yet/);
    await ada.sends(`ASK 1 ${local(stranger)}`);
    await ada.receives(/has no wallet yet/);
    await stranger.sends(`PAY 1 ${local(ada)}`);
    await stranger.receives(/^You have no wallet yet/);
    await stranger.sends('BAL');
    await stranger.receives(/^You have no wallet yet/);
    expect(await ada.balance()).toBe('25.00');
    expect(stranger.texts()).toHaveLength(2);
  });

  it('codes that are wrong, used, or of somebody else', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben', balance: '100.00' });
    await ada.sends(`PAY 10 ${local(ben)}`);
    const [, code = ''] = await ada.receives(QUOTE);
    const wrong = code === '000000' ? '000001' : '000000';
    await ada.sends(wrong);
    await ada.receives(/fits nothing that is open/);
    await ben.sends(code);
    await ben.receives(/fits nothing that is open/);
    await ada.sends(code);
    await ada.receives(/^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/);
    await ada.sends(code);
    await ada.receives(/KES 10\.00 to B\*\* \d{4}: paid\. Ref/);
    expect(await ada.balance()).toBe('89.90');
    expect(await ben.balance()).toBe('110.00');
  });

  it('codes that are being guessed grow longer, and nobody is locked out', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 10 ${local(ben)}`);
    const [, short = ''] = await ada.receives(QUOTE);
    const guesses = ['111111', '222222', '333333', '444444', '555555', '666666'].filter((guess) => guess !== short).slice(0, 5);
    for (const guess of guesses) {
      await ada.sends(guess);
      await ada.receives(/fits nothing that is open/);
    }
    const [, long = ''] = await ada.receives(/^Pay KES 10\.00 .* Reply (\d{9}) within/);
    await ada.sends(short);
    await ada.receives(/fits nothing that is open/);
    await ada.sends(long);
    await ada.receives(/^Paid KES 10\.00/);
    await ben.receives(/^You got KES 10\.00/);
  });

  it('too many payments wait for their codes', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    for (const amount of [1, 2, 3, 4, 5]) {
      await ada.sends(`PAY ${amount} ${local(ben)}`);
      await ada.receives(QUOTE);
    }
    await ada.sends(`PAY 6 ${local(ben)}`);
    await ada.receives(/too many of your payments wait for a code/);
    // The newest that fit one text.
    await ada.sends('NO');
    await ada.receives(/^\d{6} pays KES 2\.00 .*\n.* KES 3\.00 .*\n.* KES 4\.00 .*\n.* KES 5\.00 .*\nNO and a code declines\.$/);
  });

  it('one sets a PIN, and changes it', async () => {
    const ada = await town.joins({ name: 'Ada' });
    const confirms = async () => {
      const [, code = ''] = await ada.receives(/^Reply (\d{6}) within 10 min to set your PIN\. Not you\? Ignore this\.$/);
      await ada.sends(code);
      return code;
    };
    await ada.sends('PIN 8306');
    const code = await confirms();
    await ada.receives(/^Your PIN is set\. Tell it to nobody/);
    await ada.sends(code);
    await ada.receives(/^Your PIN is set\./);
    await ada.sends('PIN 9417');
    await confirms();
    await ada.receives(/^Your PIN was not set: you have one already\. To change it, send PIN, the old one and the new one\.$/);
    await ada.sends('pin: 8306 9417');
    await confirms();
    await ada.receives(/^Your PIN is set\./);
    await ada.sends('PIN 9417 1234');
    await confirms();
    await ada.receives(/^Your PIN was not set: its digits are in a row, so it is soon guessed\./);
    // Nothing of it is left: neither where it came in, nor where it waited.
    const asked = town.db('transactions').collection('pin_changes').find({ number: ada.number });
    for (const change of await asked.toArray())
      expect([change['state'], change['pin'], change['old']]).toEqual(['answered', undefined, undefined]);
    const sms = await town.db('sms-gateway').collection('inbox').find({ from: ada.number, outcome: 'pin' }).toArray();
    expect(sms.map(({ text, eraseAt }) => [text as unknown, eraseAt as unknown])).toEqual(
      Array.from({ length: 4 }, () => [undefined, undefined]),
    );
  });

  it('one gives a wrong PIN three times, and waits a day', async () => {
    const ada = await town.joins({ name: 'Ada' });
    const asks = async (text: string) => {
      await ada.sends(text);
      const [, code = ''] = await ada.receives(/^Reply (\d{6}) within/);
      await ada.sends(code);
    };
    await asks('PIN 8306');
    await ada.receives(/^Your PIN is set\./);
    await asks('PIN 5027 9417');
    await ada.receives(/^Your PIN was not changed: the old one is wrong\. 2 tries left/);
    await asks('PIN 5028 9417');
    await ada.receives(/^Your PIN was not changed: the old one is wrong\. 1 try left/);
    await asks('PIN 5029 9417');
    await ada.receives(/so it is locked for 24 h\. Try again then\.$/);
    await asks('PIN 8306 9417');
    await ada.receives(/so it is locked for 24 h\. Try again then\.$/);
  });

  it('one sets a PIN without a wallet, thinks better of it, or sends a newer one', async () => {
    const zoe = town.phone('Zoe');
    const CODE = /^Reply (\d{6}) within 10 min to set your PIN\./;
    await zoe.sends('PIN 8306');
    const [, first = ''] = await zoe.receives(CODE);
    await zoe.sends('PIN 9417');
    const [, second = ''] = await zoe.receives(CODE);
    await zoe.sends(first);
    await zoe.receives(/^Your PIN was not set: a newer one took its place\./);
    await zoe.sends(second);
    await zoe.receives(/^Your PIN was not set: you have no wallet yet\. To open one, send JOIN first\./);
    await zoe.sends('PIN 9417');
    const [, third = ''] = await zoe.receives(CODE);
    await zoe.sends(`NO ${third}`);
    await zoe.receives('Your PIN was not set: you withdrew it.');
    await zoe.sends(third);
    await zoe.receives('Your PIN was not set: you withdrew it.');
    expect(
      await town
        .db('transactions')
        .collection('pin_changes')
        .countDocuments({ pin: { $exists: true } }),
    ).toBe(0);
  });

  it('one sets a PIN while codes are being guessed', async () => {
    const ada = await town.joins({ name: 'Ada' });
    await ada.sends('PIN 8306');
    const [, short = ''] = await ada.receives(/^Reply (\d{6}) within 10 min to set your PIN\./);
    const guesses = ['111111', '222222', '333333', '444444', '555555', '666666'].filter((guess) => guess !== short).slice(0, 5);
    for (const guess of guesses) {
      await ada.sends(guess);
      await ada.receives(/fits nothing that is open/);
    }
    const [, long = ''] = await ada.receives(/^Reply (\d{9}) within 10 min to set your PIN\./);
    await ada.sends(short);
    await ada.receives(/fits nothing that is open/);
    await ada.sends(long);
    await ada.receives(/^Your PIN is set\./);
  });

  it.each([
    ['PIN', /^To set a PIN, send PIN and 4 to 8 digits/],
    ['PIN 123', /^To set a PIN/],
    ['PIN 123456789', /^To set a PIN/],
    ['PIN 8306 please', /^To set a PIN/],
    ['PIN 8306 9417 5027', /^To set a PIN/],
    ['PIN ab12', /^To set a PIN/],
    ['PAY 0 0712345678', /The amount was 0/],
    ['PAY -5 0712345678', /nothing was done/i],
    ['PAY 1e9 0712345678', /nothing was done/i],
    ['PAY 1.005 0712345678', /too many decimals/],
    ['PAY 99999999999999 0712345678', /nothing was done/i],
    ['PAY 712345678 0712345678', /nothing was done/i],
    ['PAY 5', /To which number/],
    ['PAY 0712345678', /How much/],
    ['PAY', /Which is the amount/],
    ['PAY 5 +447400123456', /country that we do not serve/],
    ['PAY 5 0712', /nothing was done/i],
    ['PAY five 0712345678', /nothing was done/i],
    ['NO thanks', /To decline/],
    ['HIST 1234567', /HIST/],
    ['HIST 4K7MPQX', /no payment of yours with ref 4K7MPQX/],
    ['JOIN 12345', /letters only/],
    ['menu', /^PAY amount number words/],
  ])('%s', async (text, answer) => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    await ada.sends(text);
    await ada.receives(answer);
    expect(await ada.balance()).toBe('10.00');
  });

  it('what is no command is helped once, then met with silence', async () => {
    const ada = town.phone('Ada');
    await ada.sends('hello?');
    await ada.receives(/^smspay: pay people by text/);
    for (const text of ['hello??', `🙂`.repeat(800), '\u202Eolleh', '\u0000', '', ' ', 'STOP IT']) await ada.sends(text);
    await ada.sends('', { numMedia: 1 });
    await ada.sends('MENU');
    await ada.receives(/^PAY/);
    expect(ada.texts()).toHaveLength(2);
  });

  it('a picture', async () => {
    const ada = town.phone('Ada');
    await ada.sends('', { numMedia: 1 });
    await ada.receives(/^We can read words only/);
  });

  it('a text of 1,600 characters', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 5 ${local(ben)} ${'lunch and '.repeat(200)}`.slice(0, 1_600));
    const [, code = ''] = await ada.receives(/^Pay KES 5\.00 .*Reply (\d{6})/);
    await ada.sends(code);
    await ada.receives(REF);
    await ben.receives(/^You got KES 5\.00/);
  });

  it.each(['12345', 'MPESA', '+447400123456'])('a sender that is no phone we serve (%s) is met with silence', async (from) => {
    const sender = town.phone('Nobody', from);
    await sender.sends('JOIN Nobody');
    await sender.sends('MENU');
    await town.checkInvariants();
    expect(sender.texts()).toEqual([]);
  });

  it("Twilio's own words are none of ours", async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    await ada.sends('HELP');
    await ada.receives(/./);
    await ada.sends('STOP');
    await ada.receives(/./);
    await ada.sends('START');
    await ada.receives(/./);
    await ada.sends('BAL');
    await ada.receives(/^Balance KES 10\.00/);
  });
});

describe('time', () => {
  // L = 1.5 s: a quote ends after 2 L, and its timer asks the ledger after 3 L.
  const L = 0.025;
  let town: Town;
  beforeAll(async () => {
    town = await Town.open({ env: { CODE_MINUTES: String(L), REQUEST_HOURS: String(L / 60) } });
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  it('ends a quote that nobody answered, and its old code pays nothing', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 1 ${ben.number}`);
    const [, code = ''] = await ada.receives(QUOTE);
    await ada.receives(/The code did not come in time/);
    await ada.sends(code);
    await ada.receives(/not answered in time, nothing was paid/);
    expect(ben.texts()).toHaveLength(1);
    expect(await ada.balance()).toBe('10.00');
  });

  it('ends a request that nobody answered, and tells both', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ben.sends(`ASK 1 ${ada.number}`);
    await ben.receives(/^You asked/);
    await ada.receives(QUOTE);
    await ada.receives(/You did not answer in time/);
    await ben.receives(/They did not answer in time/);
  });

  it('does not stand still while transactions is away', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 1 ${ben.number}`);
    await ada.receives(QUOTE);
    const [transactions] = town.of('transactions');
    await transactions?.kill();
    await transactions?.start();
    await ada.receives(/The code did not come in time/);
  });

  it('takes a code that was recorded in time, however late it is understood', async () => {
    const ada = await town.joins({ name: 'Ada', balance: '10.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 1 ${ben.number}`);
    const [, code = ''] = await ada.receives(QUOTE);
    // Away longer than the code lives, but back before its timer refuses it.
    const [transactions] = town.of('transactions');
    await transactions?.kill();
    await ada.sends(code);
    await transactions?.start();
    await ada.receives(/^Paid KES 1\.00/);
    await ben.receives(/^You got KES 1\.00/);
  });
});
