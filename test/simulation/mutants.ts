/** A known bug: what to change in the compiled code, and what it breaks. */
export interface Mutant {
  name: string;
  /** What is wrong then. */
  bug: string;
  /** From the root of what is built, without an ending. */
  file: string;
  /** Found once in the file, each with what stands there instead. */
  changes: readonly [find: string, instead: string][];
}

const UNIQUE = '{ unique: true, sparse: true }';

/** Bugs that this kind of software has. The simulation must find each of them; `npm run simulate -- --mutants` shows that it does. */
export const MUTANTS: readonly Mutant[] = [
  // The ledger.
  {
    name: 'debit-index-not-unique',
    bug: 'two transfers can take one place in the chain of what an account spent',
    file: 'apps/wallet/src/transfer.schema',
    changes: [[`.index({ 'debit.account': 1, 'debit.seq': 1 }, ${UNIQUE})`, `.index({ 'debit.account': 1, 'debit.seq': 1 })`]],
  },
  {
    name: 'credit-index-not-unique',
    bug: 'two transfers can take one place in the chain of what an account got',
    file: 'apps/wallet/src/transfer.schema',
    changes: [
      [
        `.index({ 'credit.account': 1, 'credit.lane': 1, 'credit.seq': 1 }, ${UNIQUE})`,
        `.index({ 'credit.account': 1, 'credit.lane': 1, 'credit.seq': 1 })`,
      ],
    ],
  },
  {
    name: 'no-floor',
    bug: 'wallets may go below zero',
    file: 'apps/wallet/src/ledger.service',
    changes: [['floor: floorOf(order.from)', 'floor: undefined']],
  },
  {
    name: 'unconfirmed-is-made',
    bug: 'an insert whose write concern was not met is taken for made',
    file: 'apps/wallet/src/ledger.service',
    changes: [
      [
        'const stored = await this.find(document._id);',
        'if (error.name === "MongoWriteConcernError") return document;\nconst stored = await this.find(document._id);',
      ],
    ],
  },
  {
    name: 'refusal-beside-the-transfer',
    bug: 'an expiry is written under an id of its own, so that a payment can both expire and be paid',
    file: 'apps/transactions/src/payments.service',
    changes: [
      [
        'return this.rpc.ask(RefuseTransfer, { transferId,',
        "return this.rpc.ask(RefuseTransfer, { transferId: transferId + ':end',",
      ],
    ],
  },
  {
    name: 'transfer-id-of-the-sms',
    bug: 'the id of a transfer comes from the SMS, so that two codes pay twice',
    file: 'apps/transactions/src/payments.service',
    changes: [['const transferId = payOf(payment.id);', 'const transferId = payOf(payment.id + question.cause.slice(-4));']],
  },
  {
    name: 'any-order-is-that-order',
    bug: 'an order with other contents is answered with what its id made before',
    file: 'apps/wallet/src/ledger.service',
    changes: [["stored.kind === 'refused' ||", 'true ||']],
  },
  // What comes in.
  {
    name: 'answered-before-written',
    bug: 'a webhook is answered before the inbox has the SMS',
    file: 'apps/sms-gateway/src/inbound.controller',
    changes: [['await this.inbound.take(sms);', 'void this.inbound.take(sms).catch(() => undefined);']],
  },
  {
    name: 'lost-reply-is-success',
    bug: 'an insert whose reply was lost is taken for done',
    file: 'libs/mongo/src/insert',
    changes: [
      [
        'if (tries === TRIES_MAX',
        "if (error.name === 'MongoNetworkError') return { inserted: true, stored: document };\nif (tries === TRIES_MAX",
      ],
    ],
  },
  {
    name: 'closed-before-told',
    bug: 'an SMS has its outcome before its answer is on its way',
    file: 'apps/sms-gateway/src/inbound.service',
    changes: [
      [
        'if (message && !silent) {',
        'await this.redrive.close(sms, { outcome: silent ? "silence" : outcome });\nif (message && !silent) {',
      ],
    ],
  },
  {
    name: 'help-for-everybody',
    bug: 'help goes out as often as it is not asked for',
    file: 'apps/sms-gateway/src/numbers.service',
    changes: [['< HELP_EVERY_MS', '< 0']],
  },
  // PINs.
  {
    name: 'pin-without-its-code',
    bug: 'the wallet is asked for a PIN whose code did not come',
    file: 'apps/transactions/src/pins.service',
    changes: [["if (change.state === 'confirmed' && pin) {", 'if (pin) {']],
  },
  {
    name: 'pin-counts-again',
    bug: 'an input with a PIN counts each time that it is driven',
    file: 'apps/wallet/src/pins.service',
    changes: [['const known = answerTo(read, inputId);', 'const known = undefined;']],
  },
  {
    name: 'pin-kept',
    bug: 'a PIN stays where it waited when it has ended',
    file: 'apps/transactions/src/pins.service',
    changes: [['ended ? { pin: 1, old: 1 } : {}', '{}']],
  },
  // Driving.
  {
    name: 'claim-without-token',
    bug: 'who lost a claim still closes, puts off and gives up',
    file: 'libs/redrive/src/redrive',
    changes: [['return { _id, claim: claim ?? { $exists: false } };', 'return { _id };']],
  },
  {
    name: 'lost-retry',
    bug: 'what fails once is not tried again',
    file: 'libs/redrive/src/redrive',
    changes: [
      [
        'await change({ $set: { waits, nextTryAt }, $unset: { claim: 1 } });',
        'await change({ $set: { waits }, $unset: { claim: 1, nextTryAt: 1 } });',
      ],
    ],
  },
  {
    name: 'nobody-looks',
    bug: 'nobody looks for what a killed process left',
    file: 'libs/redrive/src/redrive',
    changes: [
      [
        'if (!this.#hasRoom())\n                return;\n            this.#occupy(1);',
        'if (this.#more)\n                return;\n            this.#occupy(1);',
      ],
    ],
  },
  {
    name: 'dead-in-minutes',
    bug: 'a document is given up after eight tries, whatever fails',
    file: 'libs/redrive/src/redrive',
    changes: [
      ['{ tries: 20, ms: 6 * 3_600_000 }', '{ tries: 8, ms: 0 }'],
      ["const counted = faultOf(error) === 'failed' &&", 'const counted = true ||'],
      ['if (this.#isOutage()) {', 'if (false) {'],
    ],
  },
  // Payments.
  {
    name: 'untold-overwritten',
    bug: 'what is told next replaces what was not told yet',
    file: 'apps/transactions/src/untold',
    changes: [['[...new Set([...read.untold, ...untold])]', 'untold']],
  },
  {
    name: 'told-at-the-first-try',
    bug: 'what notifications did not take is marked as told',
    file: 'apps/transactions/src/payments.service',
    changes: [['await this.rpc.ask(Tell, { events });', 'await this.rpc.ask(Tell, { events }).catch(() => undefined);']],
  },
  {
    name: 'taken-before-stored',
    bug: 'a command is answered before its payment is stored',
    file: 'apps/transactions/src/openings.service',
    changes: [
      [
        'await this.payments.insert(first.payment, first.untold);',
        'void this.payments.insert(first.payment, first.untold).catch(() => undefined);',
      ],
    ],
  },
  {
    name: 'rooms-without-a-version',
    bug: 'what waits for a code is read before it is written',
    file: 'libs/mongo/src/version',
    changes: [['updateOne({ _id, version }, change)', 'updateOne({ _id }, change)']],
  },
  {
    name: 'places-freed-early',
    bug: 'whoever opens a payment late has lost its place meanwhile, and opens it all the same',
    file: 'apps/transactions/src/payments.service',
    changes: [['now.getTime() - until.getTime() > GIVEN_UP_MS', 'until <= now']],
  },
  {
    name: 'only-wrong-guesses-counted',
    bug: 'codes that are being compared are not counted, so as many as come at once are',
    file: 'apps/transactions/src/domain/waiting-room',
    changes: [['if (taken.length < GUESSES_MAX) {', "if (taken.filter(({ is }) => is === 'wrong').length < GUESSES_MAX) {"]],
  },
  {
    name: 'list-without-an-index',
    bug: 'what a person asked for is found by a walk over all payments',
    file: 'apps/transactions/src/payment.schema',
    changes: [['.index({ asker: 1, endsAt: 1 }, { sparse: true })', '']],
  },
  {
    name: 'expired-by-the-wall-clock',
    bug: 'a wall clock that jumps expires what is fresh',
    file: 'libs/nest-service/src/clock',
    changes: [['return new Date(this.#databaseMs + this.#host.monotonicMs() - this.#lookedAtMs);', 'return this.#host.now();']],
  },
  {
    name: 'expired-early',
    bug: 'a payment is refused when its code may still be on its way',
    file: 'apps/transactions/src/openings.service',
    changes: [
      ['refuseAt: new Date(openedAt.getTime() + lifeMs + 2 * codeMs)', 'refuseAt: new Date(openedAt.getTime() + lifeMs)'],
    ],
  },
  {
    name: 'ready-by-ping',
    bug: 'a process whose every write fails says that it is ready',
    file: 'libs/nest-service/src/database',
    changes: [['> WRITES_FAIL_MS', '> Infinity']],
  },
  // What goes out.
  {
    name: 'doubled-send',
    bug: 'a try whose reply was lost is sent again without a look at the list of the provider',
    file: 'apps/sms-gateway/src/outbound.service',
    changes: [["if (text.state === 'trying' && (await this.adopt(text)))", 'if (false)']],
  },
  {
    name: 'sent-without-the-claim',
    bug: 'who lost the claim of a text posts it all the same',
    file: 'apps/sms-gateway/src/outbound.service',
    changes: [
      [
        "const { modifiedCount } = await this.outbox.updateOne(claimOf(text), {\n            $set: { state: 'trying'",
        "const { modifiedCount } = await this.outbox.updateOne({ _id: text._id }, {\n            $set: { state: 'trying'",
      ],
    ],
  },
  {
    name: 'posted-late',
    bug: 'a process that was held up posts a text which others have asked about and sent meanwhile',
    file: 'apps/sms-gateway/src/outbound.service',
    changes: [['> POST_WITHIN_MS)', '> Infinity)']],
  },
  {
    name: 'states-go-back',
    bug: 'a late delivery report takes a text back',
    file: 'apps/sms-gateway/src/outbound.service',
    changes: [['state: { $in: statesBefore(state) } }', '}']],
  },
  {
    name: 'list-that-fails-is-empty',
    bug: 'a list that the provider does not show is taken for one without the text',
    file: 'apps/sms-gateway/src/providers/twilio',
    changes: [[`throw new Unavailable("the provider's list", { cause: error });`, 'return [];']],
  },
];

/** The code with the bug in it. Throws if it is not as the mutant expects, so that a stale one is seen. */
export function planted({ name, changes }: Mutant, code: string): string {
  return changes.reduce((changed, [find, instead]) => {
    if (changed.split(find).length !== 2) throw new Error(`mutant ${name}: "${find}" is not in the code just once`);
    return changed.replace(find, () => instead);
  }, code);
}
