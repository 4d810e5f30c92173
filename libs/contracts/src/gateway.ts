import { z } from 'zod';
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
  /** Codes go before receipts. */
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

const What = z.enum(['inbox', 'outbox']);

/** What was given up after its counted tries. No text and no number is shown. */
export const ListDeadLetters = rpc({
  subject: 'gateway.dead_letters.list',
  by: 'sms-gateway',
  from: ['admin'],
  request: z.object({ limit: z.number().int().min(1).max(100) }),
  response: z.object({
    letters: z.array(z.object({ what: What, id: z.string(), reason: z.string(), tries: z.number().int(), since: Moment })),
  }),
});

/** Drives a dead letter again. Harmless to repeat: every step finds what was done before. */
export const ReplayDeadLetter = rpc({
  subject: 'gateway.dead_letters.replay',
  by: 'sms-gateway',
  from: ['admin'],
  request: z.object({ what: What, id: z.string().min(1).max(160) }),
  response: z.object({ result: z.enum(['replayed', 'not_found']) }),
});
