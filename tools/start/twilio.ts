/** Who plays Twilio, and what its owner should know. */
export interface TwilioChoice {
  /** By our simulator. */
  simulated: boolean;
  lines: string[];
}

/** Decides from the environment who plays Twilio: Twilio itself, whoever `TWILIO_API_URL` names, or the simulator. Throws if settings lack. */
export function twilioOf(env: NodeJS.ProcessEnv): TwilioChoice {
  if (env['TWILIO_API_URL']) {
    return {
      simulated: false,
      lines: [`Twilio is played by ${env['TWILIO_API_URL']}; the gateway takes its webhooks on port 3001`],
    };
  }
  if (!env['TWILIO_ACCOUNT_SID'] && !env['TWILIO_AUTH_TOKEN']) return { simulated: true, lines: [] };

  const needed = {
    TWILIO_ACCOUNT_SID: 'the SID of your Twilio account, AC…',
    TWILIO_AUTH_TOKEN: 'its auth token',
    SMS_NUMBERS: 'your Twilio number, +…, several by comma, or a Messaging Service SID',
    PUBLIC_URL: 'the https URL at which Twilio reaches port 3001 of this machine',
  };
  const missing = Object.entries(needed).filter(([name]) => !env[name]);
  if (missing.length > 0) {
    throw new Error(
      [
        'TWILIO_* is set, so smspay would talk to Twilio itself; these are missing too:',
        ...missing.map(([name, what]) => `${name}: ${what}`),
      ].join('\n  '),
    );
  }
  return {
    simulated: false,
    lines: [
      `smspay talks to Twilio itself. At Twilio, as the webhook of ${env['SMS_NUMBERS']} for incoming messages, set (HTTP POST):`,
      `  ${env['PUBLIC_URL']?.replace(/\/$/, '')}/sms/inbound`,
      'Delivery reports need no setting: each text names its own URL, under /sms/status.',
      'The secrets of a development set-up are not for real money.',
    ],
  };
}
