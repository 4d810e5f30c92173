import { describe, expect, it } from '@jest/globals';
import type { Text } from '../../src/live.ts';
import { suggestionsFor } from './suggestions.ts';

const ADA = { name: 'Ada', number: '+254722004321' };
const BEN = { name: 'Ben', number: '+254712345678' };
const COMMANDS = ['PAY 25 0712345678 lunch', 'BAL', 'REQUEST 40 0712345678 taxi', 'HIST'];

const text = (direction: Text['direction'], body: string) => ({ direction, body }) as Text;
const suggestions = (...texts: Text[]) => suggestionsFor(ADA, BEN, texts);

describe('suggestions', () => {
  it('begin with JOIN', () => expect(suggestions()).toEqual(['JOIN Ada', 'MENU']));

  it('are the commands after that, paying the other phone', () => {
    expect(suggestions(text('received', 'Welcome Ada. Balance KES 1,000.00.'))).toEqual(COMMANDS);
    expect(suggestionsFor(ADA, undefined, [text('received', 'Welcome')])).toEqual(['BAL', 'HIST']);
  });

  it('offer the code that came last until it is sent, with its NO', () => {
    const quote = text(
      'received',
      'Pay KES 25.00 to B** +254712345678 "lunch", fee KES 0.10? Reply 647991 within 10 min to pay.',
    );
    expect(suggestions(quote)).toEqual(['647991', 'NO 647991', ...COMMANDS]);
    expect(suggestions(quote, text('received', 'Reply 493817493 to pay.')).slice(0, 2)).toEqual(['493817493', 'NO 493817493']);
    expect(suggestions(quote, text('sent', 'no 647991'))).toEqual(COMMANDS);
  });

  it('take no number, amount or reference for a code', () => {
    expect(suggestions(text('received', 'You got KES 999999.00 from +254712345678 or 0712345678. Ref 9D5FP2K'))).toEqual(
      COMMANDS,
    );
  });
});
