/** A request as its taker gets it. */
export interface BusRequest {
  subject: string;
  /** JSON. */
  body: string;
  headers: Readonly<Record<string, string>>;
  /** Answers it; where the answer does not arrive, the asker asks again. */
  respond(body: string): void;
}

/** Takes no new request from `drain()` on, and resolves when those that arrived were handed over. */
export interface BusSubscription {
  drain(): Promise<void>;
}

/** The way between the services: requests and replies in queue groups, nothing stored. NATS, or what a simulation puts in its place. */
export abstract class Bus {
  /** Begins to connect, and goes on for ever. Fulfilled at the first connection. */
  abstract open(): Promise<void>;
  /** False while all that is asked is `Unavailable`. */
  abstract get connected(): boolean;
  /** No body may be longer, bytes. */
  abstract get maxBytes(): number;
  /** The body of the first reply. Rejects if none comes within `timeoutMs`, and at once if nobody listens. */
  abstract request(
    subject: string,
    body: string,
    options: { timeoutMs: number; headers: Readonly<Record<string, string>> },
  ): Promise<string>;
  /** Takes requests as one of the group `queue`: each goes to one of them. Only after `open()`. */
  abstract subscribe(subject: string, queue: string, take: (request: BusRequest) => void): BusSubscription;
  /** Sends what is buffered and closes for good. */
  abstract close(): Promise<void>;
}
