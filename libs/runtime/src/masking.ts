/** A phone number as logs and operators see it: `+2547****5678`. Four digits at least are hidden, of a short number more of its beginning. */
export function masked(msisdn: string): string {
  if (msisdn.length < 9) return '****';
  return `${msisdn.slice(0, Math.min(5, msisdn.length - 8))}****${msisdn.slice(-4)}`;
}

/**
 * The digits of what may be a phone number, in any writing and wherever it stands, as in `SM…:paid:+254712345678`. No part of a word is one,
 * such as a hexadecimal id, but what stands behind a line break as JSON writes it, or behind the plus of a URL.
 */
const NUMBER = /(?:(?<![0-9A-Za-z])|(?<=\\[nrt]|%2[Bb]))\d{7,15}(?![0-9A-Za-z])/g;

/** `text` with all that may be a phone number in it masked: for words that are not ours, such as a database's that quote a key. */
export function maskNumbers(text: string): string {
  return text.replace(NUMBER, masked);
}

const JSON_STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/** As `maskNumbers`, of JSON: in its strings alone, so that it stays JSON. */
export function maskNumbersInJson(json: string): string {
  // Nearly always there is none, and one look tells.
  return json.search(NUMBER) < 0 ? json : json.replace(JSON_STRING, maskNumbers);
}
