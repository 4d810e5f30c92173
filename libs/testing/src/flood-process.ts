import { connect } from 'node:net';

// Strangers who post to the gateway at the port that is given, in a process of their own, until it is killed. Run by `Flood`.

const HEAD = [
  'POST /sms/inbound HTTP/1.1',
  'Host: gateway',
  'Content-Type: application/x-www-form-urlencoded',
  'X-Twilio-Signature: guessed',
].join('\r\n');
const whole = (body: string) => `${HEAD}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (pieces: string[]) =>
  `${HEAD}\r\nTransfer-Encoding: chunked\r\n\r\n` +
  pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');

/** Each has a name of its own: many of one name are found sooner. */
const fields = (count: number, value: string) =>
  Array.from({ length: count }, (_, index) => `${index.toString(36)}=${value}`).join('&');

/** What each sends, and how many there are of them at any time. Some wait for an answer, most never finish. */
const STRANGERS: [number, string][] = [
  // 1 MB with 175,000 fields.
  [20, whole(fields(175_000, ''))],
  [20, chunked(Array.from({ length: 16 }, () => 'a'.repeat(65_536)))],
  // The largest form that is read.
  [20, whole(fields(190, 'x'.repeat(165)))],
  [10, whole('{"a":'.repeat(5_000)).replace('x-www-form-urlencoded', 'json')],
  [10, 'HELO gateway\r\n\r\n'],
  // A hundred requests before the first answer.
  [10, 'GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n'.repeat(100)],
  [10, chunked(Array.from({ length: 2_000 }, () => 'a'))],
  [750, ''],
  [700, 'POST /sms/inbound HTTP/1.1\r\nHost: gateway\r\n'],
  [700, whole('a'.repeat(32_000)).slice(0, -1)],
];
const PAUSE_MS = 100;

const port = Number(process.argv[2]);
for (const [count, text] of STRANGERS) {
  const sent = Buffer.from(text);
  for (let some = 0; some < count; some++) come(sent);
}

/** Sends, and comes again a moment after the connection was closed. */
function come(sent: Buffer): void {
  const socket = connect(port, '127.0.0.1', () => socket.write(sent));
  socket
    .on('error', () => undefined)
    .once('close', () => setTimeout(come, PAUSE_MS, sent))
    .resume();
}
