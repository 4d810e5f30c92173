/** The life of a text, in the order in which it can only go forward. `delivered`, `undelivered`, `failed` and `dropped` end it. */
export type TextState = 'queued' | 'trying' | 'handed_over' | 'sent' | 'delivered' | 'undelivered' | 'failed' | 'dropped';

const RANK: Record<TextState, number> = {
  queued: 0,
  trying: 1,
  handed_over: 2,
  sent: 3,
  delivered: 4,
  undelivered: 4,
  failed: 4,
  dropped: 4,
};

/** The states from which a text may go to `state`: reports come in any order, doubled and late. */
export function statesBefore(state: TextState): TextState[] {
  return (Object.keys(RANK) as TextState[]).filter((before) => RANK[before] < RANK[state]);
}

/** What a delivery report of Twilio's says of a text; undefined for one that says nothing new (twilio.com/docs/messaging, "Message status values"). */
export function stateOfReport(messageStatus: string): TextState | undefined {
  switch (messageStatus) {
    case 'accepted':
    case 'scheduled':
    case 'queued':
    case 'sending':
      return 'handed_over';
    case 'sent':
      return 'sent';
    case 'delivered':
    case 'read':
      return 'delivered';
    case 'undelivered':
      return 'undelivered';
    case 'failed':
    case 'canceled':
      return 'failed';
    default:
      return undefined;
  }
}

/** True where nothing more will be done for the text. */
export function isEnd(state: TextState): boolean {
  return RANK[state] === RANK.delivered;
}
