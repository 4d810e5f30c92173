import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DismissDeadLetters, ListDeadLetters, ReplayDeadLetters } from '#libs/contracts';
import type { Callback, CreateOutcome } from '#libs/simulated-twilio';
import { type Phone, Town, until } from '#libs/testing';

/** Longer than a POST may take and a try may stay unsettled: 10 s and 30 s (docs/design.md, "Receiving and sending"). */
const SETTLED_MS = 60_000;

describe('the provider', () => {
  let town: Town;
  /** What becomes of the next texts to a number. */
  const outcomes = new Map<string, CreateOutcome[]>();
  const withoutCallbacks = new Set<string>();

  beforeAll(async () => {
    town = await Town.open({ processes: { 'sms-gateway': 2 } });
    town.twilio.onCreate = ({ to }) => outcomes.get(to)?.shift() ?? 'ok';
    town.twilio.onCallback = ({ form }: Callback) => !withoutCallbacks.has(form['To'] ?? '');
  });
  afterEach(() => town.checkInvariants());
  afterAll(() => town.close());

  const lastTextTo = (phone: Phone) =>
    town.db('sms-gateway').collection('outbox').find({ to: phone.number }).sort({ createdAt: -1 }).limit(1).next();
  const settled = (phone: Phone) =>
    until(async () => (await lastTextTo(phone))?.['nextTryAt'] === undefined, {
      timeoutMs: SETTLED_MS,
      everyMs: 200,
      what: () => 'the text to be settled',
    });

  /** Asks for the balance while the provider does this and that, and gives how often the answer came, and the tries. */
  async function answered(...next: CreateOutcome[]): Promise<{ phone: Phone; times: number; tries: number }> {
    const phone = await town.joins({ name: 'Ada', balance: '10.00' });
    outcomes.set(phone.number, next);
    await phone.sends('BAL');
    await phone.receives(/^Balance KES 10\.00/, SETTLED_MS);
    await settled(phone);
    const times = phone.texts().filter((text) => text.startsWith('Balance')).length;
    const text = await lastTextTo(phone);
    return { phone, times, tries: (text?.['sends'] as Date[] | undefined)?.length ?? 0 };
  }

  it('that is too busy (429) or says 5xx is asked again, and the text comes once', async () => {
    const [busy, twice, broken] = await Promise.all([
      answered({ status: 429 }),
      answered({ status: 429 }, { status: 429 }),
      answered({ status: 503 }),
    ]);
    expect([busy.times, busy.tries, twice.times, twice.tries, broken.times, broken.tries]).toEqual([1, 2, 1, 3, 1, 2]);
  }, 120_000);

  it('that took a text and lost its reply is not asked to send it again: the callback names it', async () => {
    expect(await answered('accept_and_drop_reply')).toMatchObject({ times: 1, tries: 1 });
  }, 120_000);

  it('that took a text, and lost its reply and its callbacks, has it in its list; one that hung has not', async () => {
    const lost = async () => {
      const phone = await town.joins({ name: 'Ada', balance: '10.00' });
      withoutCallbacks.add(phone.number);
      outcomes.set(phone.number, ['accept_and_drop_reply']);
      await phone.sends('BAL');
      await phone.receives(/^Balance KES 10\.00/);
      await settled(phone);
      return phone.texts().filter((text) => text.startsWith('Balance')).length;
    };
    const [times, hung] = await Promise.all([lost(), answered('hang')]);
    expect([times, hung.times, hung.tries]).toEqual([1, 1, 2]);
  }, 180_000);

  it('whose answer is no for good (21610) makes a dead letter, which an operator sees and can replay', async () => {
    const phone = await town.joins({ name: 'Ada', balance: '10.00' });
    outcomes.set(phone.number, [
      { status: 400, body: { code: 21610, message: 'Attempt to send to unsubscribed recipient', status: 400 } },
    ]);
    await phone.sends('BAL');
    const letters = async () => (await town.operator.ask(ListDeadLetters, { box: 'outbox', limit: 100 })).letters;
    await until(async () => (await letters()).length === 1, { timeoutMs: 10_000, what: () => 'the dead letter' });
    const [letter] = await letters();
    const counted = async () => (await fetch(`http://127.0.0.1:${town.of('sms-gateway')[0]?.port}/metrics`)).text();
    expect(await counted()).toMatch(/^smspay_dead_letters\{what="refused"\} 1$/m);
    expect(await counted()).toMatch(/^smspay_dead_letters\{what="outbox"\} 0$/m);
    expect(letter).toMatchObject({ reason: 'provider error 21610', event: expect.stringMatching(/^SM\w+:answer$/) });
    expect(JSON.stringify(letter)).not.toContain(phone.number.slice(1));
    const [none, one] = [
      { done: 0, more: false },
      { done: 1, more: false },
    ];
    // All of them are those that may pass.
    expect(await town.operator.ask(ReplayDeadLetters, { box: 'outbox' })).toEqual(none);
    expect(await town.operator.ask(ReplayDeadLetters, { box: 'outbox', ids: [letter?.id ?? ''] })).toEqual(one);
    await phone.receives(/^Balance KES 10\.00/);
    expect(await town.operator.ask(ReplayDeadLetters, { box: 'outbox', ids: [letter?.id ?? ''] })).toEqual(none);
    expect(await town.operator.ask(DismissDeadLetters, { box: 'outbox', ids: [letter?.id ?? ''] })).toEqual(none);
    expect(await letters()).toEqual([]);
    expect(await counted()).toMatch(/^smspay_dead_letters\{what="refused"\} 0$/m);
  });

  it('may report a delivery after a text was given up: it is no dead letter then, and a replay does not send it again', async () => {
    const phone = await town.joins({ name: 'Ada', balance: '10.00' });
    outcomes.set(phone.number, ['accept_and_drop_reply']);
    town.twilio.holdCallbacks();
    await phone.sends('BAL');
    await phone.receives(/^Balance KES 10\.00/);
    const given = await lastTextTo(phone);
    // As after six hours in which the list of the provider failed for this text alone.
    await town
      .db('sms-gateway')
      .collection('outbox')
      .updateOne(
        { _id: given?._id },
        { $set: { dead: { reason: "the provider's list", at: new Date() } }, $unset: { nextTryAt: 1, claim: 1 } },
      );
    expect((await town.operator.ask(ListDeadLetters, { box: 'outbox', limit: 100 })).letters).toHaveLength(1);
    await town.twilio.releaseCallbacks();
    const told = await lastTextTo(phone);
    expect([told?.['state'], told?.['dead'], told?.['nextTryAt']]).toEqual(['delivered', undefined, undefined]);
    expect(await town.operator.ask(ReplayDeadLetters, { box: 'outbox' })).toEqual({ done: 0, more: false });
    expect(phone.texts().filter((text) => text.startsWith('Balance'))).toHaveLength(1);
    expect(told?.['sends']).toHaveLength(1);
  });

  it('may report deliveries early, late, doubled, shuffled and of texts that nobody knows: the state goes forward only (F6)', async () => {
    const phone = await town.joins({ name: 'Ada', balance: '10.00' });
    town.twilio.holdCallbacks();
    await phone.sends('BAL');
    await phone.receives(/^Balance KES 10\.00/);
    const stateOf = async () => (await lastTextTo(phone))?.['state'] as string;
    await until(async () => (await stateOf()) === 'handed_over', { timeoutMs: 10_000, what: () => 'the text to be handed over' });
    await town.twilio.releaseCallbacks((held) => [
      ...held.toReversed(),
      ...held,
      ...held.map(({ url, form }) => ({ url: `${url}x`, form })),
    ]);
    expect(await stateOf()).toBe('delivered');
  });
});
