import type { PostedWebhook } from '#libs/simulated-twilio';
import type { PostedWebhooks } from './live.ts';

/** Failed ones that are kept. */
const KEPT = 10_000;

/** What became of all webhooks: what Twilio's debugger shows. */
export class Webhooks {
  #posted = 0;
  readonly #again: PostedWebhook[] = [];
  readonly #failed: PostedWebhook[] = [];

  add(webhook: PostedWebhook): void {
    this.#posted++;
    if (webhook.tries > 1) keep(this.#again, webhook);
    if (webhook.status < 200 || webhook.status > 299) keep(this.#failed, webhook);
  }

  get all(): PostedWebhooks {
    return { posted: this.#posted, again: this.#again, failed: this.#failed };
  }
}

function keep(kept: PostedWebhook[], webhook: PostedWebhook): void {
  kept.push(webhook);
  if (kept.length > KEPT) kept.shift();
}
