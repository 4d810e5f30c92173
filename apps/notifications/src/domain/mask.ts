import type { Person } from '#libs/contracts';
import { toGsm7 } from './gsm7.ts';

/** A person as a receipt names them: `B** 5678`, or `**5678` without a name. */
export function maskedPerson({ number, name }: Person): string {
  const initial = initialOf(name);
  return `${initial}**${initial && ' '}${number.slice(-4)}`;
}

/** A person as a quote names them, so that a mistyped digit is seen before money moves: `B** +254712345678`. */
export function personWithNumber({ number, name }: Person): string {
  const initial = initialOf(name);
  return initial ? `${initial}** ${number}` : number;
}

function initialOf(name: string): string {
  return /\p{L}/u.exec(toGsm7(name.toUpperCase()))?.[0] ?? '';
}
