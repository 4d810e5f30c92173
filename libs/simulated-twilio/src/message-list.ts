import { type Message, resourceOf } from './message.ts';

/** The query of `GET Messages.json`, in Twilio's own words. */
export interface ListQuery {
  To?: string;
  From?: string;
  DateSent?: string;
  'DateSent>'?: string;
  'DateSent<'?: string;
  PageSize?: string;
  Page?: string;
  PageToken?: string;
}

const PAGE_MAX = 1000;

/** The messages of an account, as its REST API finds them: one by its SID at once, the list newest first and maybe late. */
export class MessageList {
  readonly #accountSid: string;
  readonly #bySid = new Map<string, Message>();
  readonly #byTo = new Map<string, Message[]>();
  readonly #byFrom = new Map<string, Message[]>();
  readonly #all: Message[] = [];
  /** Epoch milliseconds, of those only that the list shows late. */
  readonly #listedAtMs = new Map<string, number>();

  constructor(accountSid: string) {
    this.#accountSid = accountSid;
  }

  /** The list shows it `listDelayMs` after it was created. */
  add(message: Message, listDelayMs: number): void {
    this.#bySid.set(message.sid, message);
    this.#all.push(message);
    append(this.#byTo, message.to, message);
    append(this.#byFrom, message.from, message);
    if (listDelayMs > 0) this.#listedAtMs.set(message.sid, message.createdAt.getTime() + listDelayMs);
  }

  get(sid: string): Message | undefined {
    return this.#bySid.get(sid);
  }

  /** One page as the REST API answers it; `path` is where it was asked for. */
  page(path: string, query: ListQuery, now: Date): object {
    const pageSize = Math.min(Math.max(Number.parseInt(query.PageSize ?? '50', 10) || 50, 1), PAGE_MAX);
    const page = Number.parseInt(query.Page ?? '0', 10) || 0;
    const candidates = (query.To ? this.#byTo.get(query.To) : query.From ? this.#byFrom.get(query.From) : this.#all) ?? [];
    const newestFirst = candidates.toReversed();
    // A token names the last message of the page before, so that what arrives meanwhile shifts no page.
    const start = query.PageToken ? newestFirst.findIndex((message) => message.sid === query.PageToken?.slice(2)) + 1 : 0;
    const found = newestFirst
      .slice(start)
      .filter(
        (message) =>
          (!query.From || message.from === query.From) &&
          sentWithin(message.sentAt ?? message.createdAt, query) &&
          (this.#listedAtMs.get(message.sid) ?? 0) <= now.getTime(),
      );
    const messages = found.slice(0, pageSize);
    const last = messages.at(-1);

    const pageUri = (pageNumber: number, token?: string) => {
      const params = new URLSearchParams({ ...query, PageSize: String(pageSize), Page: String(pageNumber) });
      params.delete('PageToken');
      if (token) params.set('PageToken', token);
      return `${path}?${params}`;
    };
    const params = new URLSearchParams({ ...query }).toString();
    return {
      messages: messages.map((message) => resourceOf(message, this.#accountSid)),
      page,
      page_size: pageSize,
      start: page * pageSize,
      end: page * pageSize + Math.max(messages.length - 1, 0),
      uri: params ? `${path}?${params}` : path,
      first_page_uri: pageUri(0),
      next_page_uri: last && messages.length < found.length ? pageUri(page + 1, `PA${last.sid}`) : null,
      previous_page_uri: null,
    };
  }
}

function append(index: Map<string, Message[]>, key: string, message: Message): void {
  const messages = index.get(key);
  if (messages) messages.push(message);
  else index.set(key, [message]);
}

/** A filter is a day, or a moment with whole seconds; both ends are included. */
function sentWithin(sentAt: Date, query: ListQuery): boolean {
  const from = query['DateSent>'] ?? query.DateSent;
  const until = query['DateSent<'] ?? query.DateSent;
  if (from && sentAt.getTime() < Date.parse(from)) return false;
  return !until || sentAt.getTime() < Date.parse(until) + (until.length > 10 ? 1000 : 86_400_000);
}
