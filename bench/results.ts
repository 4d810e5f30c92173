import type { Measured } from './load.ts';

/** Which way a payment goes: all of smspay, or README.md's writes and exchanges alone. */
export type Way = 'whole' | 'bare';
export const WAYS: readonly Way[] = ['whole', 'bare'];

/** The collections that both ways write. */
export type Collection = 'inbox' | 'payments' | 'transfers' | 'outbox';

/** One way under one load for some seconds. */
export interface Turn extends Measured {
  way: Way;
  /** CPU time for each payment in ms, by process. */
  cpuMs: Record<string, number>;
  hops: Hop[];
}

/** What a payment spends in one part, in ms. */
export interface Hop {
  name: string;
  ms: number;
}

export interface Results {
  cores: number;
  node: string;
  mongodb: string;
  nats: string;
  payers: number;
  /** In the order in which they ran. */
  sustained: Turn[];
  /** Payments begun by the clock, half as many a second as were sustained. */
  atHalf: Record<Way, Turn>;
  /** The middle size of a stored document, in bytes. */
  documentBytes: Record<Way, Record<Collection, number>>;
  /** Writes that the bare way made for each payment. */
  bareWrites: number;
}

export const perSecondOf = ({ latenciesMs, seconds }: Turn): number => latenciesMs.length / seconds;

/** What the turns of one way sustained, in the middle. */
export const sustainedBy = (way: Way, turns: readonly Turn[]): number =>
  quantile(
    turns.filter((turn) => turn.way === way).map((turn) => perSecondOf(turn)),
    0.5,
  );

/** Between the two nearest values where none is exact; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const place = (sorted.length - 1) * share;
  const [low = NaN, high = low] = sorted.slice(Math.floor(place), Math.floor(place) + 2);
  return low + (high - low) * (place % 1);
}
