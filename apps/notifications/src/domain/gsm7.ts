/** What one SMS carries in GSM-7 (3GPP TS 23.038), in septets; a character of the basic alphabet is one. */
export const SEGMENT = 160;

/** The basic alphabet. The extension table (`^{}\[]~|€`) costs two septets a character, so nothing is folded to it. */
const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);

/** What Unicode does not take apart into a letter of the alphabet and its marks: each character, then what stands for it. */
const REPLACED = new Map(
  [
    'ıi łl ŁL đd ĐD ðd ÐD þth ÞTH ħh ĦH ŋn ŊN œoe ŒOE ẞSS ɛe ƐE ɔo ƆO ɓb ƁB ɗd ƊD ƙk ƘK',
    `‘' ’' ʼ' “" ”" „" –- —- −- [( ]) {( }) ~- |/ \\/ €EUR`,
  ]
    .join(' ')
    .split(' ')
    .map((pair) => [pair.charAt(0), pair.slice(1)] as const),
);

/** `text` in the basic alphabet of GSM-7: `Jiří` is `Jiri`, `Peña` stays; what has no near letter (emoji, other scripts) is dropped. */
export function toGsm7(text: string): string {
  return Array.from(text.normalize('NFC'), (character) => {
    if (BASIC.has(character)) return character;
    const letters = Array.from(character.normalize('NFKD'), (part) => REPLACED.get(part) ?? part);
    return letters.join('').replace(/./gsu, (letter) => (BASIC.has(letter) ? letter : ''));
  }).join('');
}

/** The text of the richest of `most`, `most - 1` … 0 parts that fits one segment: what people wrote and lists give way, the rest stays. */
export function fitting(most: number, textOf: (parts: number) => string): string {
  for (let parts = most; parts > 0; parts--) {
    const text = textOf(parts);
    if (text.length <= SEGMENT) return text;
  }
  return textOf(0);
}
