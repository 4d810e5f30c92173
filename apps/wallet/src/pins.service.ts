import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { linkOf, type RequestOf, type ResponseOf, type Sealed, type SetPin, type SmsId, type WalletId } from '#libs/contracts';
import { storeOver } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import { crashPoint, DataKeys, Host, log, type Secret, Unavailable } from '#libs/runtime';
import type { Model } from 'mongoose';
import { answerTo, decided, easyPinOf, isLocked, isPin, type Proof } from './domain/pin.ts';
import { LinkRecord } from './link.schema.ts';
import { PinHashes } from './pin-hashes.ts';
import { type PinHash, PinRecord } from './pin.schema.ts';
import type { Settings } from './settings.ts';

const RACES_MAX = 20;
const RACE_MS = 20;

/** The PINs of wallets: set, changed, and how often a wrong one was tried. */
@Injectable()
export class PinsService {
  private readonly dataKeys: DataKeys;

  constructor(
    @InjectModel(PinRecord.name) private readonly pins: Model<PinRecord>,
    @InjectModel(LinkRecord.name) private readonly links: Model<LinkRecord>,
    private readonly hashes: PinHashes,
    private readonly clock: Clock,
    private readonly host: Host,
    @Inject(SETTINGS) settings: Settings,
  ) {
    this.dataKeys = new DataKeys(settings.DATA_KEYS, host);
  }

  /**
   * Sets the PIN of a number's wallet, by the one that it has if it has one. The same input again is answered as before, and counts no more. What is
   * compared counts only by the write that says so: of many at once each is decided on what those before it left.
   */
  async set({ number, inputId, old, pin }: RequestOf<typeof SetPin>): Promise<ResponseOf<typeof SetPin>> {
    this.clock.assertGood();
    const chosen = this.#unseal(pin, inputId);
    const given = old && this.#unseal(old, inputId);
    if (!isPin(chosen.reveal()) || (given && !isPin(given.reveal()))) return { result: 'malformed' };
    // Of the PIN alone, whosever it is: nothing is told of the number, and no try is used up.
    const why = easyPinOf(chosen.reveal());
    if (why) return { result: 'too_easy', why };
    const link = await this.links.findById(linkOf(number)).lean<LinkRecord>();
    if (!link) return { result: 'no_wallet' };

    const compare = remembered((hash: PinHash) => (given ? this.hashes.fits(hash, given) : undefined));
    let made: PinHash | undefined;
    for (let race = 0; race < RACES_MAX; race++) {
      const read = await this.#pinOf(link.walletId);
      const known = answerTo(read, inputId);
      if (known) return known;
      let proof: Proof = read.hash ? 'missing' : 'needless';
      // What is locked is not even compared.
      if (read.hash && given && !isLocked(read, this.clock.now())) proof = (await compare(read.hash)) ? 'right' : 'wrong';
      const { answer, next } = decided(read, inputId, proof, this.clock.now());
      if (answer.result === 'set') made ??= await this.hashes.make(chosen);
      crashPoint('wallet: before a PIN is stored');
      const change = { ...read, ...next, version: read.version + 1, ...(answer.result === 'set' && made ? { hash: made } : {}) };
      if (await storeOver(this.pins, read.version, change as PinRecord)) {
        crashPoint('wallet: PIN stored');
        log.info({ walletId: link.walletId, smsId: inputId, result: answer.result }, 'PIN asked for');
        return answer;
      }
      await this.host.sleep(this.host.random() * RACE_MS * race);
    }
    throw new Unavailable(`a PIN, raced for ${RACES_MAX} times,`);
  }

  #unseal(pin: Sealed, inputId: SmsId): Secret {
    return this.dataKeys.unseal(pin, `pin:${inputId}`);
  }

  /** Of version 0 while nothing is stored. */
  async #pinOf(walletId: WalletId): Promise<PinRecord> {
    const stored = await this.pins.findById(walletId).lean<PinRecord>();
    return stored ?? { _id: walletId, version: 0, wrong: 0, inputs: [] };
  }
}

/** What was compared with a hash is not compared with it again. */
function remembered<T>(compare: (hash: PinHash) => T): (hash: PinHash) => T {
  let last: { tag: string; is: T } | undefined;
  return (hash) => {
    if (last?.tag !== hash.tag) last = { tag: hash.tag, is: compare(hash) };
    return last.is;
  };
}
