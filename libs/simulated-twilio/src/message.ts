import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { SegmentedMessage } from 'sms-segments-calculator';

const API_VERSION = '2010-04-01';

/**
 * Twilio's own words: `receiving` and `received` of what phones send, the others of what is sent to them. That goes `queued`, `sending`,
 * `sent` and ends `delivered` or `undelivered`; what was never sent is `failed`.
 */
export type MessageStatus = 'receiving' | 'received' | 'queued' | 'sending' | 'sent' | 'delivered' | 'undelivered' | 'failed';

/** One SMS as Twilio keeps it. The object lives: its status, times and error move on. */
export interface Message {
  readonly sid: string;
  /** `reply` is Twilio's own answer to a reserved word; its REST API does not list it. */
  readonly direction: 'inbound' | 'outbound-api' | 'reply';
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly numMedia: number;
  readonly numSegments: number;
  readonly messagingServiceSid?: string;
  readonly statusCallback?: string;
  readonly createdAt: Date;
  updatedAt: Date;
  sentAt?: Date;
  status: MessageStatus;
  /** Twilio's error: 11200 the webhook did not answer 2xx, 30003 the phone is unreachable, 30036 the validity period is over. */
  errorCode?: number;
}

// The calculator takes ten times as long as all the rest of a message: most need no counting.
const ONE_PLAIN_SEGMENT = /^[\n @A-Za-z0-9!"#$%&'()*+,\-./:;<=>?_]{0,160}$/;

/** How many SMS a body takes on the air. An empty one takes one. */
export function segmentsOf(body: string): number {
  return ONE_PLAIN_SEGMENT.test(body) ? 1 : new SegmentedMessage(body).segmentsCount;
}

/** The resource as the REST API shows it. */
export function resourceOf(message: Message, accountSid: string) {
  const uri = `/${API_VERSION}/Accounts/${accountSid}/Messages/${message.sid}`;
  return {
    sid: message.sid,
    account_sid: accountSid,
    messaging_service_sid: message.messagingServiceSid ?? null,
    api_version: API_VERSION,
    direction: message.direction,
    from: message.from,
    to: message.to,
    body: message.body,
    num_segments: String(message.numSegments),
    num_media: String(message.numMedia),
    status: message.status,
    error_code: message.errorCode ?? null,
    error_message: null,
    price: null,
    price_unit: 'USD',
    date_created: rfc2822(message.createdAt),
    date_updated: rfc2822(message.updatedAt),
    date_sent: message.sentAt ? rfc2822(message.sentAt) : null,
    uri: `${uri}.json`,
    subresource_uris: { media: `${uri}/Media.json` },
  };
}

/** What Twilio posts to the webhook of incoming messages. Of a number outside the United States it knows no city, state or zip. */
export function inboundForm(message: Message, accountSid: string, optOutType: string | undefined): Record<string, string> {
  return {
    ToCountry: countryOf(message.to),
    ToState: '',
    SmsMessageSid: message.sid,
    NumMedia: String(message.numMedia),
    ToCity: '',
    FromZip: '',
    SmsSid: message.sid,
    FromState: '',
    SmsStatus: 'received',
    FromCity: '',
    Body: message.body,
    FromCountry: countryOf(message.from),
    To: message.to,
    ToZip: '',
    NumSegments: String(message.numSegments),
    MessageSid: message.sid,
    AccountSid: accountSid,
    From: message.from,
    ApiVersion: API_VERSION,
    ...mediaOf(message, accountSid),
    ...(message.messagingServiceSid ? { MessagingServiceSid: message.messagingServiceSid } : {}),
    ...(optOutType ? { OptOutType: optOutType } : {}),
  };
}

/** What Twilio posts to the status callback of a message: how it stands now. */
export function statusForm(message: Message, accountSid: string): Record<string, string> {
  return {
    SmsSid: message.sid,
    SmsStatus: message.status,
    MessageStatus: message.status,
    To: message.to,
    MessageSid: message.sid,
    AccountSid: accountSid,
    From: message.from,
    ApiVersion: API_VERSION,
    ...(message.messagingServiceSid ? { MessagingServiceSid: message.messagingServiceSid } : {}),
    ...(message.errorCode ? { ErrorCode: String(message.errorCode) } : {}),
  };
}

function mediaOf(message: Message, accountSid: string): Record<string, string> {
  const media: Record<string, string> = {};
  for (let index = 0; index < message.numMedia; index++) {
    media[`MediaContentType${index}`] = 'image/jpeg';
    media[`MediaUrl${index}`] =
      `https://api.twilio.com/${API_VERSION}/Accounts/${accountSid}/Messages/${message.sid}/Media/ME${index}`;
  }
  return media;
}

const countryOf = (number: string) => parsePhoneNumberFromString(number)?.country ?? '';

/** Twilio's dates have whole seconds. */
const rfc2822 = (date: Date) => date.toUTCString().replace('GMT', '+0000');
