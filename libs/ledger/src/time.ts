const formats = new Map<string, Intl.DateTimeFormat>();

/** The day of a moment where the people are, `2026-11-25`. `timeZone` is an IANA name: `Africa/Nairobi`. */
export function dayOf(at: Date, timeZone: string): string {
  let format = formats.get(timeZone);
  if (!format) {
    // Canadian English writes dates as ISO 8601 does.
    format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
    formats.set(timeZone, format);
  }
  return format.format(at);
}

/** The month of a moment where the people are, `2026-11`. */
export function monthOf(at: Date, timeZone: string): string {
  return dayOf(at, timeZone).slice(0, 7);
}
