export * from './message.ts';
export * from './simulated-twilio.ts';
