import { z } from 'zod';
import { Event } from './events.ts';
import { rpc } from './rpc.ts';
import { Language, Link, Moment, Msisdn, Sealed } from './values.ts';

/** One text for the outbox. Under one id the first one stored is sent. */
export const QueuedText = z.object({
  id: z.string().min(1).max(160),
  to: Msisdn,
  link: Link.optional(),
  language: Language,
  from: Msisdn.optional(),
  text: Sealed,
  /** What the text says, as it was told; not from 0.2.0. */
  told: Event.pick({ message: true, currency: true, answers: true }).optional(),
  /** Whether there is a code in it. Kept with the text, for whoever looks; no service goes by it. */
  carriesCode: z.boolean(),
  dropAt: Moment.optional(),
});
export type QueuedText = z.output<typeof QueuedText>;

/** Answering means: the outbox holds these texts, or others under their ids. */
export const QueueTexts = rpc({
  subject: 'gateway.texts.queue',
  by: 'sms-gateway',
  from: ['notifications'],
  request: z.object({ texts: z.array(QueuedText).min(1).max(10) }),
  response: z.object({}),
});

/**
 * Whether an SMS of a number that was recorded in a time has no outcome yet: what waits for a code of that number must not end before it has.
 * Asked before anything ends because its time is over. Of a number that sent more than 200 then, the newest are looked at.
 */
export const LookForOpenSms = rpc({
  subject: 'gateway.sms.look_for_open',
  by: 'sms-gateway',
  from: ['transactions'],
  request: z.object({ number: Msisdn, since: Moment, before: Moment }),
  response: z.object({ found: z.boolean() }),
});

/** Where a dead letter lies. */
export const LetterBox = z.enum(['inbox', 'outbox']);
export type LetterBox = z.output<typeof LetterBox>;

/** The id by which operators name a dead letter: that of the SMS, or one of a text that tells nothing. */
const LetterId = z.string().regex(/^[\w:-]{1,80}$/);

/** Where to go on: behind what one question read of a box, where those given up come first, then those that the provider refused for good. */
export const NextLetters = z.object({
  refused: z.boolean(),
  since: Moment,
  /** Without the first ones of just that time. */
  skip: z.number().int().min(0).max(10_000),
});
export type NextLetters = z.output<typeof NextLetters>;

/** Which dead letters of a box: all, or those that are all of what is given. With the `next` of an answer it is the question that goes on there. */
const WhichLetters = z.object({
  box: LetterBox,
  ids: z.array(LetterId).min(1).max(100).optional(),
  /** Exactly why they were given up. */
  reason: z.string().max(500).optional(),
  /** Given up then or earlier. */
  until: Moment.optional(),
  ...NextLetters.partial().shape,
});
export type WhichLetters = z.output<typeof WhichLetters>;

/**
 * What was given up after its counted tries, then what the provider refused for good, each the oldest first: at most `limit`, fewer where few of
 * many have the reason. No text is shown, and of a number only what `masked` leaves.
 */
export const ListDeadLetters = rpc({
  subject: 'gateway.dead_letters.list',
  by: 'sms-gateway',
  from: ['admin'],
  request: WhichLetters.extend({ limit: z.number().int().min(1).max(100) }),
  response: z.object({
    letters: z.array(
      z.object({
        id: LetterId,
        /** Whose SMS it is, or whom the text is for: `+2547****5678`. */
        number: z.string(),
        /** What the text tells: `SM…:received`. */
        event: z.string().optional(),
        reason: z.string(),
        tries: z.number().int(),
        since: Moment,
      }),
    ),
    /** There where more may fit; not from 0.2.0. */
    next: NextLetters.optional(),
  }),
});

const SomeDone = z.object({
  done: z.number().int(),
  /** True if others may fit that are left to the next time that this is asked. */
  more: z.boolean(),
  /** There with `more`; not from 0.2.0. */
  next: NextLetters.optional(),
});

/**
 * Drives dead letters again, some hundred at a time. Harmless to repeat: every step finds what was done before. What the provider refused for
 * good is among them only if its ids or its reason are given.
 */
export const ReplayDeadLetters = rpc({
  subject: 'gateway.dead_letters.replay',
  by: 'sms-gateway',
  from: ['admin'],
  request: WhichLetters,
  response: SomeDone,
});

/** Puts dead letters away for good: nothing more is done for them, and they are no longer listed. */
export const DismissDeadLetters = rpc({
  subject: 'gateway.dead_letters.dismiss',
  by: 'sms-gateway',
  from: ['admin'],
  request: WhichLetters,
  response: SomeDone,
});
