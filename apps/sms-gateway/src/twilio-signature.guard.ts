import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { SETTINGS } from '#libs/nest-service';
import { Metrics } from '#libs/runtime';
import twilio from 'twilio';
import type { Settings } from './settings.ts';

/**
 * Lets through what Twilio signed (twilio.com/docs/usage/security): HMAC-SHA1 over the URL as Twilio saw it and the form's fields. The URL
 * is `PUBLIC_URL` and what came behind it, never a header of the request. Two tokens are taken while one is rotated.
 */
@Injectable()
export class TwilioSignatureGuard implements CanActivate {
  private readonly tokens: string[];
  private readonly publicUrl: string;
  private readonly refusedTotal;

  constructor(metrics: Metrics, @Inject(SETTINGS) settings: Settings) {
    this.refusedTotal = metrics.counter('smspay_webhooks_refused_total', 'Webhooks without a true signature');
    this.tokens = [settings.TWILIO_AUTH_TOKEN, settings.TWILIO_AUTH_TOKEN_SECONDARY].filter((token) => token !== undefined);
    this.publicUrl = settings.PUBLIC_URL.replace(/\/$/, '');
  }

  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ headers: Record<string, unknown>; originalUrl: string; body?: Record<string, string> }>();
    const signature = request.headers['x-twilio-signature'];
    const url = this.publicUrl + request.originalUrl;
    const isTrue =
      typeof signature === 'string' &&
      this.tokens.some((token) => twilio.validateRequest(token, signature, url, request.body ?? {}));
    if (!isTrue) this.refusedTotal.inc();
    return isTrue;
  }
}
