import type { Phone, Text } from '../../src/live.ts';
import { national } from './format.ts';

/** 6 digits, after guessing 9, that are no part of a number or an amount. */
const CODE = /(?<![\d+.,])(\d{9}|\d{6})(?![\d.,]\d|\d)/;

/** What a phone may want to send next: first the code it was just sent, then the commands. */
export function suggestionsFor(phone: Phone, other: Phone | undefined, texts: readonly Text[]): string[] {
  const hasHeard = texts.some(({ direction }) => direction === 'received');
  if (!hasHeard) return [`JOIN ${phone.name}`, 'MENU'];
  const code = openCodeOf(texts);
  return [
    ...(code ? [code, `NO ${code}`] : []),
    ...(other ? [`PAY 25 ${national(other.number)} lunch`] : []),
    'BAL',
    ...(other ? [`REQUEST 40 ${national(other.number)} taxi`] : []),
    'HIST',
  ];
}

/** The newest code that the phone was sent and has not sent back. */
function openCodeOf(texts: readonly Text[]): string | undefined {
  for (const [index, text] of [...texts.entries()].toReversed()) {
    const code = text.direction === 'received' ? CODE.exec(text.body)?.[1] : undefined;
    if (code)
      return texts.slice(index).some(({ direction, body }) => direction === 'sent' && body.includes(code)) ? undefined : code;
  }
  return undefined;
}
