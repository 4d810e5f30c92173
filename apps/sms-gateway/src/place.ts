/** A place among documents in the order of a time of theirs: from `since` on, without the first `skip` of just that time. */
export interface Place {
  since: Date;
  skip: number;
}

/** The place behind documents that were read from `from` on, by their times. */
export function placeAfter(from: Place, times: readonly Date[]): Place {
  const since = times.at(-1);
  if (!since) return from;
  const isLast = (time: Date) => time.getTime() === since.getTime();
  return { since, skip: times.filter(isLast).length + (isLast(from.since) ? from.skip : 0) };
}
