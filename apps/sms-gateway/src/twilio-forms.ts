import { SmsId } from '#libs/contracts';
import { z } from 'zod';

/** The fields we read of Twilio's form post (twilio.com/docs/messaging/guides/webhook-request). */
export const InboundSms = z.object({
  MessageSid: SmsId,
  From: z.string().max(100),
  To: z.string().max(100),
  Body: z.string().max(10_000).default(''),
  NumMedia: z.coerce.number().int().min(0).default(0).catch(0),
});
export type InboundSms = z.output<typeof InboundSms>;

/** The fields we read of a status callback (twilio.com/docs/messaging/guides/track-outbound-message-status). */
export const DeliveryReport = z.object({
  MessageSid: z.string().regex(/^\w{1,64}$/),
  MessageStatus: z.string().max(40),
  ErrorCode: z.coerce.number().int().optional().catch(undefined),
  To: z.string().max(100).optional(),
});
export type DeliveryReport = z.output<typeof DeliveryReport>;

/** What we put behind the URL of a status callback, to know our text again. */
export const CallbackQuery = z.object({ text: z.string().optional().catch(undefined) });
export type CallbackQuery = z.output<typeof CallbackQuery>;
