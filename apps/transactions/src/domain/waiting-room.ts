import type { SmsId } from '#libs/contracts';

/** Payments, and requests, that may wait for a number at once; of PINs the newest alone. */
export const PLACES = 5;
/** Of what waits no more, so many are known by their codes, the newest, for so long. */
const OVER_MAX = 30;
const OVER_FOR_MS = 24 * 3_600_000;
/** So many codes of a number are compared with those of six digits within an hour; right ones do not count. */
export const GUESSES_MAX = 5;
/** How long a wrong one counts; without one for so long, new codes have six digits again. */
export const GUESSED_FOR_MS = 3_600_000;
/** A ticket whose SMS nobody drives for so long, or whose right code could not be acted on for so long, counts as one of a wrong code. */
const COMPARED_WITHIN_MS = 5 * 60_000;
const HELD_FOR_MS = 24 * 3_600_000;
/** A ticket is kept so long after it was taken and lapsed: it counts for an SMS of its hour that is understood later. */
const KEPT_FOR_MS = 24 * 3_600_000;
/** That somebody guesses on is written down anew so often. */
const GUESSED_AGAIN_MS = 60_000;

/** Digits of a code: 6, and 9 for somebody at whose codes somebody guesses. */
export type CodeDigits = 6 | 9;

/** How the code of a thing is computed. */
export interface Derivation {
  /** Set so that no two codes of a number are the same. */
  codeN: number;
  /** 6; raised to 9 while the number's codes are being guessed. */
  codeDigits: CodeDigits;
  /** When it was raised: a code of six digits that was on its way then counts still. */
  longerSince?: Date;
  /** The id of the key in `CODE_KEY`; absent of what 0.2.0 opened, by one of them. */
  codeKey?: string;
}

/** A thing that waits for a code of a number, or did of late. */
export interface Waiting extends Derivation {
  /** What it is: unique among all that waits. The own id of a payment, a request or a change of a PIN. */
  id: string;
  kind: 'pay' | 'request' | 'pin';
  /** When a code for it counts no more. */
  until: Date;
  /** It is known to wait no more: its place is free. */
  over?: boolean;
}

/**
 * Leave to compare the code of one SMS with those of six digits, taken before it is compared. It is taken for an hour, so there are never more in any
 * hour, however many SMS come at once. Whose code was right gives it back.
 */
export interface Ticket {
  /** Whose it is: the same one however often its SMS is driven. */
  smsId: SmsId;
  /** When it was taken. */
  at: Date;
  /** From then on, by when an SMS was recorded, it is free again. */
  until: Date;
  /** `wrong`: its code fitted nothing. `right`: it fits, and what it asks for is not done yet. Absent while it is being compared. */
  is?: 'wrong' | 'right';
}

/** What waits for the codes of a number, and how many of them were wrong of late. */
export interface WaitingRoom {
  things: readonly Waiting[];
  tickets: readonly Ticket[];
  /** Somebody guesses at its codes: new ones have nine digits until then. */
  guessedUntil?: Date;
}

/** What holds a place of a kind. */
export function holdersOf({ things }: WaitingRoom, kind: Waiting['kind']): Waiting[] {
  return things.filter((thing) => thing.kind === kind && !thing.over);
}

/** The room with one thing more, or one that was over once more. The caller has looked that there is a place for it. */
export function entered(room: WaitingRoom, thing: Waiting, now: Date): WaitingRoom {
  const over = room.things.filter(
    (other) => other.over && other.id !== thing.id && now.getTime() - other.until.getTime() < OVER_FOR_MS,
  );
  return { ...room, things: [...over.slice(-OVER_MAX), ...room.things.filter((other) => !other.over), thing] };
}

/** The room where a thing waits at least until then: its opening may come late, and begin its time anew. */
export function extended(room: WaitingRoom, id: string, until: Date): WaitingRoom {
  if (!room.things.some((thing) => thing.id === id && thing.until < until)) return room;
  return { ...room, things: room.things.map((thing) => (thing.id === id ? { ...thing, until } : thing)) };
}

/** The room where these wait no more. */
export function left(room: WaitingRoom, ids: readonly string[]): WaitingRoom {
  if (!room.things.some(({ id, over }) => !over && ids.includes(id))) return room;
  return { ...room, things: room.things.map((thing) => (ids.includes(thing.id) ? { ...thing, over: true } : thing)) };
}

/** A ticket for an SMS that was recorded at `at`: `none` if all went to wrong codes, `wait` while of some it is not known whether they are wrong. */
export function withTicket(room: WaitingRoom, smsId: SmsId, at: Date, now: Date): WaitingRoom | 'none' | 'wait' {
  const taken = takenAt(room, at);
  const own = taken.find((ticket) => ticket.smsId === smsId);
  // It is driven again, so it is going to be known.
  if (own) return own.is || now <= own.at ? room : withTickets(room, (ticket) => (ticket === own ? { ...own, at: now } : ticket));
  if (taken.length < GUESSES_MAX) {
    const ticket = { smsId, at: now, until: new Date(at.getTime() + GUESSED_FOR_MS) };
    return { ...room, tickets: [...room.tickets.filter((other) => keptUntilMs(other) > now.getTime()), ticket] };
  }
  return taken.every((ticket) => isWrong(ticket, now)) ? 'none' : 'wait';
}

/** The room where the ticket of an SMS is of a wrong code, or of a right one that is not done with. */
export function judged(room: WaitingRoom, smsId: SmsId, is: 'wrong' | 'right'): WaitingRoom {
  if (!room.tickets.some((ticket) => ticket.smsId === smsId && ticket.is !== is)) return room;
  return withTickets(room, (ticket) => (ticket.smsId === smsId ? { ...ticket, is } : ticket));
}

/** The room where the ticket of an SMS is free again. */
export function givenBack(room: WaitingRoom, smsId: SmsId): WaitingRoom {
  if (!room.tickets.some((ticket) => ticket.smsId === smsId)) return room;
  return { ...room, tickets: room.tickets.filter((ticket) => ticket.smsId !== smsId) };
}

/** True if too many codes were wrong in the hour before `at`. */
export function isGuessedAt(room: WaitingRoom, at: Date, now: Date): boolean {
  return takenAt(room, at).filter((ticket) => isWrong(ticket, now)).length >= GUESSES_MAX;
}

/** The room where all that waits, and what comes within an hour of `at`, has nine digits. */
export function lengthened(room: WaitingRoom, at: Date, now: Date): WaitingRoom {
  const untilMs = at.getTime() + GUESSED_FOR_MS;
  const isShort = ({ over, codeDigits }: Waiting) => !over && codeDigits === 6;
  if (untilMs - (room.guessedUntil?.getTime() ?? 0) < GUESSED_AGAIN_MS && !room.things.some(isShort)) return room;
  const things = room.things.map((thing) => (isShort(thing) ? { ...thing, codeDigits: 9 as const, longerSince: now } : thing));
  return { ...room, things, guessedUntil: new Date(Math.max(untilMs, room.guessedUntil?.getTime() ?? 0)) };
}

/** Whether a code that fits a thing counts: of nine digits always, of six with a ticket, if it was recorded before longer ones were asked for. */
export function counts({ longerSince }: Waiting, digits: number, recordedAt: Date, hasTicket: boolean): boolean {
  return digits > 6 || (hasTicket && (longerSince === undefined || recordedAt < longerSince));
}

/** When nobody needs to know of the room any more. */
export function emptyAt({ things, tickets, guessedUntil }: WaitingRoom): Date {
  const ends = [
    ...things.map(({ until }) => until.getTime() + OVER_FOR_MS),
    ...tickets.map(keptUntilMs),
    guessedUntil?.getTime() ?? 0,
  ];
  return new Date(Math.max(...ends));
}

// Of all hours that `at` is in: those of SMS that were recorded within an hour of it, on either side.
function takenAt({ tickets }: WaitingRoom, at: Date): Ticket[] {
  return tickets.filter(({ until }) => until > at && until.getTime() - at.getTime() < 2 * GUESSED_FOR_MS);
}

function withTickets(room: WaitingRoom, change: (ticket: Ticket) => Ticket): WaitingRoom {
  return { ...room, tickets: room.tickets.map(change) };
}

const keptUntilMs = ({ at, until }: Ticket) => Math.max(at.getTime(), until.getTime()) + KEPT_FOR_MS;

// An SMS may be given up, or its write come when it is done with: then nobody says any more what became of its ticket.
function isWrong({ is, at }: Ticket, now: Date): boolean {
  const unknownForMs = now.getTime() - at.getTime();
  return is === 'wrong' || unknownForMs >= (is === 'right' ? HELD_FOR_MS : COMPARED_WITHIN_MS);
}
