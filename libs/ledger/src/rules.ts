import type { AccountId } from '#libs/contracts';

/** What holds for the account that an order debits. */
export interface Rules {
  /** The least its balance may be; undefined: it may go below zero without end. */
  floor: bigint | undefined;
  /** IANA name of the zone in which days and months begin. */
  timeZone: string;
}

/** The least an account's balance may be. Only the treasury, from which money comes into the system, has none. */
export function floorOf(account: AccountId): bigint | undefined {
  return account.startsWith('treasury:') ? undefined : 0n;
}
