import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

/** The one line that a process logs. */
function lineOf(statement: string): Record<string, Record<string, string>> {
  const script = `import { log } from ${JSON.stringify(fileURLToPath(new URL('./logging.ts', import.meta.url)))}; ${statement}`;
  const args = ['--conditions=source', '--input-type=module', '--eval', script];
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, LOG_LEVEL: 'info' } });
  return JSON.parse(printed) as Record<string, Record<string, string>>;
}

describe('a line of the log', () => {
  it('has the words of an error and of its causes, without numbers, and nothing else that hangs on it', () => {
    const { err } = lineOf(`
      const cause = Object.assign(new Error('E11000 duplicate key error dup key: { _id: "SM1:paid:+254712345678" }'), {
        keyValue: { _id: 'SM1:paid:+254712345678' },
        op: { name: 'Adalberta' },
      });
      log.error({ err: Object.assign(new Error('refused', { cause }), { config: { headers: { Authorization: 'Basic x' } } }) }, 'a fault');
    `);
    expect(Object.keys(err ?? {})).toEqual(['type', 'message', 'stack']);
    expect(err).toMatchObject({
      type: 'Error',
      message: 'refused: E11000 duplicate key error dup key: { _id: "SM1:paid:+2547****5678" }',
      stack: expect.stringMatching(/^Error: refused\n[^]*caused by: Error: E11000 .*\+2547\*{4}5678/),
    });
  });

  it('has no number in its words, in what it names or in what that holds', () => {
    const { msg, id, deep } = lineOf(
      `log.info({ id: 'SM1:paid:+254712345678', deep: { from: ['0712345678'] } }, 'of 254712345678');`,
    );
    expect({ msg, id, deep }).toEqual({ msg: 'of 2547****5678', id: 'SM1:paid:+2547****5678', deep: { from: ['07****5678'] } });
  });
});
