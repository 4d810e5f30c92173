/** What Twilio does with a word of its own, and what it answers the phone by itself. */
export interface ReservedWord {
  type: 'STOP' | 'START' | 'HELP';
  reply: string;
}

const STOP: ReservedWord = {
  type: 'STOP',
  reply:
    'You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.',
};
const START: ReservedWord = {
  type: 'START',
  reply:
    'You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply.',
};
const HELP: ReservedWord = { type: 'HELP', reply: 'Reply STOP to unsubscribe. Msg&Data Rates May Apply.' };

const WORDS = new Map<string, ReservedWord>([
  ...['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT'].map((word) => [word, STOP] as const),
  ...['START', 'YES', 'UNSTOP'].map((word) => [word, START] as const),
  ...['HELP', 'INFO'].map((word) => [word, HELP] as const),
]);

/** The word that a whole message is, in any case; `STOP please` is none. */
export function reservedWordOf(body: string): ReservedWord | undefined {
  return WORDS.get(body.trim().toUpperCase());
}
