import { toGsm7 } from './gsm7.ts';

/**
 * What another person wrote, made harmless: nothing that a phone would open (links, `*334#`), no group of four or more digits that could
 * pass for a code or an amount, no quotes and no line breaks to step out of the text it stands in. In GSM-7.
 */
export function harmless(text: string): string {
  return toGsm7(text)
    .replace(/[^\p{L}\d .,!?'&()+\-/:;]/gu, ' ')
    .replace(/\S*(?:\p{L}\.[^\s.]|[^\s.]\.\p{L}|\/\/)\S*|\bwww\S*/giu, ' ')
    .replace(/\d(?:[^\p{L}\d]*\d){3,}/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** At most `length` characters of `text`, its end shown as `...` where it was cut. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  return length > 6 ? `${text.slice(0, length - 3).trimEnd()}...` : '';
}
