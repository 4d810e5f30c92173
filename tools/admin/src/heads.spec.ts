import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AccountId } from '#libs/contracts';
import type { ChainHead } from '#libs/ledger';
import { HeadsFile } from './heads.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smspay-heads-'));
  path = join(folder, 'heads');
});

afterEach(() => rm(folder, { recursive: true }));

const head = (side: ChainHead['side'], account: string, lane: number, seq: number): ChainHead => ({
  side,
  account: account as AccountId,
  lane,
  seq,
  hash: `k1.${account.slice(-3)}${lane}`,
});

const ADA = head('debit', 'wallet:ada', 0, 3);
const BEN = head('credit', 'wallet:ben', 0, 1);
/** As `verify` walks them. */
const HEADS = [head('credit', 'fees:KES', 0, 9), head('fee', 'fees:KES', 2, 2), head('fee', 'fees:KES', 11, 7), ADA, BEN];

async function leftIn(file: HeadsFile): Promise<ChainHead[]> {
  const heads: ChainHead[] = [];
  for await (const each of file.left()) heads.push(each);
  return heads;
}

/** What a run leaves that finds these. */
async function write(heads: ChainHead[]): Promise<void> {
  const file = await HeadsFile.open(path);
  for (const each of heads) await file.add(each);
  await file.keep();
  await file.close();
}

async function read(): Promise<{ count: number; heads: ChainHead[] }> {
  const file = await HeadsFile.open(path);
  const heads = await leftIn(file);
  await file.close();
  return { count: file.count, heads };
}

describe('the file of heads', () => {
  it('has what the last run kept, and nothing before the first', async () => {
    expect(await read()).toEqual({ count: 0, heads: [] });
    await write(HEADS);
    expect(await readFile(path, 'utf8')).toMatch(/^credit fees:KES 0 9 k1\.KES0\nfee fees:KES 2 2 k1\.KES2\n/);
    expect(await read()).toEqual({ count: 5, heads: HEADS });
    await write([]);
    expect(await read()).toEqual({ count: 0, heads: [] });
  });

  it('holds more than is written at once', async () => {
    const many = Array.from({ length: 5_000 }, (_, n) => head('debit', `wallet:${String(n).padStart(32, '0')}`, 0, n + 1));
    await write(many);
    expect(await read()).toEqual({ count: 5_000, heads: many });
  });

  it('is read in order as a release wrote it that walked one side after the other', async () => {
    const bySide = ['debit wallet:ada 0 3 k1.ada0', 'credit fees:KES 0 9 k1.KES0', 'credit wallet:ben 0 1 k1.ben0'];
    await writeFile(path, [...bySide, 'fee fees:KES 2 2 k1.KES2', 'fee fees:KES 11 7 k1.KES11', ''].join('\n'));
    expect(await read()).toEqual({ count: 5, heads: HEADS });
  });

  it('stays as it is until all is found, and if nothing is kept', async () => {
    await write([ADA]);
    const file = await HeadsFile.open(path);
    await file.add(BEN);
    expect((await read()).heads).toEqual([ADA]);
    await file.close();
    expect((await read()).heads).toEqual([ADA]);
    expect(await readdir(folder)).toEqual(['heads']);
  });

  it('gives each of two runs what was there when it began, and keeps what the later one to end found', async () => {
    await write([ADA]);
    const [one, other] = [await HeadsFile.open(path), await HeadsFile.open(path)];
    await one.add(ADA);
    await other.add(BEN);
    await other.keep();
    expect((await read()).heads).toEqual([BEN]);
    expect(await leftIn(one)).toEqual([ADA]);
    await one.keep();
    await Promise.all([one.close(), other.close()]);
    expect((await read()).heads).toEqual([ADA]);
    expect(await readdir(folder)).toEqual(['heads']);
  });

  it('is closed though not all of it was read', async () => {
    await write(Array.from({ length: 5_000 }, (_, n) => head('debit', `wallet:${String(n).padStart(32, '0')}`, 0, n + 1)));
    const file = await HeadsFile.open(path);
    expect((await file.left().next()).value).toMatchObject({ seq: 1 });
    await file.close();
    expect(await readdir(folder)).toEqual(['heads']);
  });

  it('removes the draft of a run that was killed, a day later', async () => {
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    for (const name of ['heads.new', 'heads.0a1b.new', 'heads.2c3d.new', 'heads', 'other.new']) {
      await writeFile(join(folder, name), '');
      if (name !== 'heads.2c3d.new') await utimes(join(folder, name), yesterday, yesterday);
    }
    await write([ADA]);
    expect(await readdir(folder)).toEqual(['heads', 'heads.2c3d.new', 'other.new']);
  });

  it('says what is wrong before a walk begins', async () => {
    await writeFile(path, 'debit wallet:ada 0 3 k1.ada0\ndebit wallet:ben 0 x k1.ben0\n');
    await expect(HeadsFile.open(path)).rejects.toThrow(`--heads: ${path}: line 2 is no head of a chain`);
    await expect(HeadsFile.open(folder)).rejects.toThrow(`--heads: cannot read ${folder}: EISDIR`);
    await expect(HeadsFile.open(join(folder, 'none', 'heads'))).rejects.toThrow(`--heads: cannot write ${join(folder, 'none')}`);
    expect(await readdir(folder)).toEqual(['heads']);
  });
});
