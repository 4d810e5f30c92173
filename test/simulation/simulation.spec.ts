import { describe, expect, it } from '@jest/globals';
import { type Cause, payOf, type PaymentId, walletAccount, type WalletId } from '#libs/contracts';
import { verify } from '#libs/ledger';
import { seededRandom } from '#libs/testing';
import type { Input } from '../../apps/transactions/src/domain/payment.ts';
import { KEYS, TIME_ZONE, World } from './world.ts';

const SEEDS = 400;
const given = process.env['SEED'];

/** One life of the world: some people, some payments among them, inputs in any order and number, deaths at any place. */
async function live(seed: number): Promise<void> {
  const world = new World(seededRandom(seed));
  const people = Array.from({ length: 2 + world.upTo(3) }, (_, index) => String(index).repeat(32) as WalletId);
  for (const [index, person] of people.entries()) world.fund(person, BigInt(1 + world.upTo(3_000)), String(index));

  const ids = Array.from({ length: 1 + world.upTo(8) }, (_, index) => `SM${index}` as PaymentId);
  for (const id of ids) {
    const payer = world.pick(people);
    const payee = world.pick(people.filter((person) => person !== payer));
    world.open(id, world.pick(['pay', 'request']), payer, payee, BigInt(1 + world.upTo(2_000)), BigInt(world.upTo(3)));
  }

  const inputsOf = (id: PaymentId): Input[] => [
    ...Array.from({ length: 1 + world.upTo(3) }, (_, index): Input => {
      const cause = `${id}-${index}` as Cause;
      return world.pick<Input>([
        { type: 'right_code', cause },
        { type: 'right_code', cause },
        { type: 'no', by: world.pick(['payer', 'payee']), cause },
      ]);
    }),
    { type: 'time_is_up', cause: `timer:${id}` as Cause },
  ];
  const works = ids.flatMap((id) => [
    ...inputsOf(id).flatMap((input) => Array.from({ length: 1 + world.upTo(2) }, () => () => world.apply(id, input))),
    () => world.tell(id),
    () => world.tell(id),
  ]);
  world.run(works, 0.05);
  // Redrive, until all is told.
  world.run(
    ids.map((id) => () => world.tell(id)),
    0,
  );

  const report = await verify(world.source(), KEYS, TIME_ZONE);
  expect(report.problems).toEqual([]);
  expect([...report.sums.values()]).toEqual([0n]);
  for (const person of people) expect(world.balanceOf(walletAccount(person))).toBeGreaterThanOrEqual(0n);
  for (const id of ids) {
    const stored = world.payments.get(id);
    const document = world.documents.get(payOf(id));
    if (!stored || !document) throw new Error(`${id} has no end`);
    const { payment } = stored;
    expect([id, payment.state === 'completed']).toEqual([id, document.kind === 'payment']);
    expect('closedBy' in payment && payment.closedBy).toBe(document.cause);
    expect(stored.untold).toEqual([]);
    const tales = ['paid', 'received', 'not_paid', 'not_received'].filter((tale) => world.told.has(`${id}:${tale}`));
    const ofEnd = payment.origin === 'request' ? ['not_paid', 'not_received'] : ['not_paid'];
    expect([id, tales]).toEqual([id, payment.state === 'completed' ? ['paid', 'received'] : ofEnd]);
  }
}

describe('a world in which everything goes wrong', () => {
  it(`keeps every invariant, in ${given ? `the one life of SEED=${given}` : `${SEEDS} lives`}`, async () => {
    const first = Date.now() % 1_000_000;
    for (const seed of given ? [Number(given)] : Array.from({ length: SEEDS }, (_, index) => first + index)) {
      try {
        await live(seed);
      } catch (error) {
        throw new Error(`SEED=${seed} breaks it: ${(error as Error).message}`, { cause: error });
      }
    }
  }, 120_000);
});
