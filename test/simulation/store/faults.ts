/** What goes wrong between clients and the store, for all of them or for one. The world turns it on and off. */
export interface Faults {
  /** The part of requests that never reach the server. */
  lostRequests: number;
  /** The part of requests that the server carries out, then or a little later, and whose replies never come. */
  lostReplies: number;
  /** Of what is lost, the part that the driver notices only when `socketTimeoutMS` is over; of the rest it sees the connection break. */
  silentLosses: number;
  /** What replies to writes say of the majority. */
  writeConcernErrors: WriteConcernErrors | undefined;
  failing: Failure | undefined;
  /** The server takes so many times as long. */
  slowness: number;
}

/** A write is applied, and its reply says that the majority is not sure. It is committed later, or taken back by a step-down. */
export interface WriteConcernErrors {
  /** Of the writes. */
  part: number;
  /** 64: waited in vain. 91, 189, 11600, 11602: the server went down or stepped down meanwhile; the driver asks again. */
  code: 64 | 91 | 189 | 11_600 | 11_602;
  /** Of an insert that is a duplicate nothing else is said: seen on the wire with code 64, without `writeErrors`. */
  hidesDuplicates: boolean;
}

/** The server refuses, each time. */
export interface Failure {
  /** 13 and 18: not allowed. 14031: the disk is full. 8000: Atlas's quota. 16500: Azure throttles. 189, 10107, 11602 …: no primary. */
  code: number;
  /** Whether reads and pings fail too. */
  of: 'writes' | 'all';
  /** Of the whole command, or of each write in it. */
  as?: 'command' | 'write_error';
  /** Instead of what servers say with the code. */
  errmsg?: string;
}

export const noFaults = (): Faults => ({
  lostRequests: 0,
  lostReplies: 0,
  silentLosses: 0,
  writeConcernErrors: undefined,
  failing: undefined,
  slowness: 1,
});

/** What one client meets: what all meet, and what is its own. */
export function together(all: Faults, own: Faults | undefined): Faults {
  if (!own) return all;
  const either = (one: number, other: number) => 1 - (1 - one) * (1 - other);
  return {
    lostRequests: either(all.lostRequests, own.lostRequests),
    lostReplies: either(all.lostReplies, own.lostReplies),
    silentLosses: either(all.silentLosses, own.silentLosses),
    writeConcernErrors: own.writeConcernErrors ?? all.writeConcernErrors,
    failing: own.failing ?? all.failing,
    slowness: all.slowness * own.slowness,
  };
}
