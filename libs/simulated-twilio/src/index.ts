export * from './message.ts';
export * from './simulated-twilio.ts';
export * from './twilio-account.ts';
export type { PostedWebhook } from './webhook-client.ts';
