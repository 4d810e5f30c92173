import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { span, startTracing, stopTracing } from './tracing.ts';

it('a span has no number in its attributes, and of an error its name alone', async () => {
  const exported: string[] = [];
  const collector = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (chunk: string) => exported.push(chunk));
    request.on('end', () => response.end('{}'));
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  startTracing('test', `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  const fault = () => Promise.reject(new TypeError('dup key: { _id: "+254712345678" }'));
  await expect(span('a step', fault, { attributes: { 'text.id': 'SM1:paid:+254712345678', tries: 2 } })).rejects.toThrow(
    TypeError,
  );
  await stopTracing();
  collector.close();
  expect(exported.join('')).toContain('"stringValue":"SM1:paid:+2547****5678"');
  expect(exported.join('')).toContain('"message":"TypeError"');
  expect(exported.join('')).not.toContain('712345678');
});
