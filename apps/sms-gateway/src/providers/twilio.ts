import { Agent } from 'node:http';
import type { Msisdn } from '#libs/contracts';
import { Injectable, Inject } from '@nestjs/common';
import { Unavailable } from '#libs/runtime';
import { SETTINGS } from '#libs/nest-service';
import twilio from 'twilio';
import type { Settings } from '../settings.ts';

const TWILIO = 'https://api.twilio.com';
/** Twilio's bound on ValidityPeriod. */
const VALIDITY_MAX_S = 36_000;
const TIMEOUT_MS = 10_000;
/** Texts that one process tries to send at the same time. Each has a socket, so that the time of a POST is that of Twilio alone. */
export const TEXTS_AT_ONCE = 48;
/** A page of the list has at most so many (twilio.com/docs/usage/twilios-response); nobody gets more in the time in question. */
const LISTED_MAX = 1_000;
/** Clocks differ, and `date_created` has whole seconds. A message that another text has already is none of ours, so there is no harm in much. */
const CLOCK_SLACK_MS = 120_000;
/** They sent STOP (twilio.com/docs/api/errors/21610). */
export const OPTED_OUT = 21_610;
/**
 * That this receiver takes no text of ours: no such number (21211, 21214, 21217, 21265), none that gets texts (21614, 21635), or one that wants none
 * (21610; twilio.com/docs/api/errors). Every other refusal can be of all texts: a number of ours that is gone, an account that is closed.
 */
const RECEIVER_TAKES_NONE: ReadonlySet<number> = new Set([21_211, 21_214, 21_217, 21_265, OPTED_OUT, 21_614, 21_635]);

/**
 * What one try to send says. `not_taken`: the provider did not take it, sending again is safe. `refused`: so, and it said why; `forGood` where this
 * receiver takes none. `ambiguous`: it may have taken it.
 */
export type SendResult =
  | { result: 'accepted'; sid: string }
  | { result: 'not_taken'; why: string }
  | { result: 'refused'; errorCode: number; forGood: boolean }
  | { result: 'ambiguous'; why: string };

export interface TextToSend {
  to: Msisdn;
  from: string;
  body: string;
  callbackUrl: string;
  /** Seconds after which the provider must not hand it over any more. */
  validitySeconds?: number | undefined;
}

/** How Twilio's SDK calls the API: over HTTP, or as a simulation answers. */
export abstract class TwilioHttp {
  abstract request: InstanceType<typeof twilio.RequestClient>['request'];
}

/** The real one; to the API at `TWILIO_API_URL` where that is set. */
export function twilioHttp({ TWILIO_API_URL }: Pick<Settings, 'TWILIO_API_URL'>): TwilioHttp {
  const client = new twilio.RequestClient({ timeout: TIMEOUT_MS, keepAlive: true, maxSockets: TEXTS_AT_ONCE });
  client.axios.defaults.httpAgent = new Agent({ keepAlive: true, maxSockets: TEXTS_AT_ONCE });
  const apiUrl = TWILIO_API_URL?.replace(/\/$/, '');
  if (apiUrl) {
    const request = client.request.bind(client);
    client.request = (options) => request({ ...options, uri: options.uri.replace(TWILIO, apiUrl) });
  }
  return client;
}

/** Twilio's REST API, by its own SDK. */
@Injectable()
export class Twilio {
  private readonly client: ReturnType<typeof twilio>;

  constructor(http: TwilioHttp, @Inject(SETTINGS) settings: Settings) {
    this.client = twilio(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, { httpClient: http as twilio.RequestClient });
  }

  /** One POST. The API has no idempotency key, so what is not plainly taken or refused is ambiguous (docs/design.md, "Receiving and sending"). */
  async send({ to, from, body, callbackUrl, validitySeconds }: TextToSend): Promise<SendResult> {
    try {
      const message = await this.client.messages.create({
        to,
        body,
        statusCallback: callbackUrl,
        ...(from.startsWith('MG') ? { messagingServiceSid: from } : { from }),
        ...(validitySeconds !== undefined
          ? { validityPeriod: Math.max(1, Math.min(VALIDITY_MAX_S, Math.floor(validitySeconds))) }
          : {}),
      });
      return { result: 'accepted', sid: message.sid };
    } catch (error) {
      return resultOf(error);
    }
  }

  /**
   * The SIDs of messages to `to` created since `since` whose body ends with ours (a trial account puts words before it), the
   * oldest first: so of several texts in the same words each finds its own, or one as good.
   * Throws `Unavailable` if the provider does not show its list.
   */
  async find(to: Msisdn, since: Date, body: string): Promise<string[]> {
    // One page, and not by `dateSent`, which a message that waits in Twilio's queue does not have yet.
    const messages = await this.client.messages.list({ to, limit: LISTED_MAX, pageSize: LISTED_MAX }).catch((error: unknown) => {
      throw new Unavailable("the provider's list", { cause: error });
    });
    return messages
      .toReversed()
      .filter((message) => message.dateCreated.getTime() >= since.getTime() - CLOCK_SLACK_MS && message.body.endsWith(body))
      .map((message) => message.sid);
  }
}

function resultOf(error: unknown): SendResult {
  if (error instanceof twilio.RestException) {
    if (error.status === 429) return { result: 'not_taken', why: 'provider says 429' };
    // A wrong or expired token is ours to mend: no text is lost to it.
    if (error.status === 401 || error.status === 403)
      return { result: 'not_taken', why: `provider says ${error.status}: check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN` };
    if (error.status >= 400 && error.status < 500 && error.status !== 408) {
      const errorCode = error.code ?? error.status;
      return { result: 'refused', errorCode, forGood: RECEIVER_TAKES_NONE.has(errorCode) };
    }
    return { result: 'ambiguous', why: `provider says ${error.status}` };
  }
  const code = (error as { code?: string }).code ?? 'unknown';
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN'
    ? { result: 'not_taken', why: code }
    : { result: 'ambiguous', why: code };
}
