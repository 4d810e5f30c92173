import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import {
  type AccountId,
  type Cause,
  type FundWallet,
  linkOf,
  minorUnits,
  type Msisdn,
  type OpenWallet,
  type Party,
  type QuoteTransfer,
  type ReadBalance,
  type ReadStatement,
  type RequestOf,
  type ResponseOf,
  treasuryAccount,
  walletAccount,
  type WalletId,
  welcomeOf,
} from '#libs/contracts';
import { creditChain, debitChain, type PostedTransfer } from '#libs/ledger';
import { insertOrRead } from '#libs/mongo';
import { Clock, SETTINGS } from '#libs/nest-service';
import { crashPoint, Host, log, masked } from '#libs/runtime';
import type { Model } from 'mongoose';
import { ChainsService } from './chains.service.ts';
import { feeOf } from './domain/fees.ts';
import { LedgerService } from './ledger.service.ts';
import { LinkRecord } from './link.schema.ts';
import { type Settings, type Terms, termsOf } from './settings.ts';
import { Wallet } from './wallet.schema.ts';

const WALLET_ID_BYTES = 16;
const NOTHING = minorUnits(0n);

/** People's wallets: who has one, what is in it, what a payment would cost. */
@Injectable()
export class WalletsService {
  readonly #terms: Terms;

  constructor(
    @InjectModel(LinkRecord.name) private readonly links: Model<LinkRecord>,
    @InjectModel(Wallet.name) private readonly wallets: Model<Wallet>,
    private readonly ledger: LedgerService,
    private readonly chains: ChainsService,
    private readonly clock: Clock,
    private readonly host: Host,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.#terms = termsOf(settings);
  }

  /** Opens a wallet for a number. The link decides; a crash after it is healed by whoever asks next, since all else follows from it. */
  async open({ number, name, language, cause }: RequestOf<typeof OpenWallet>): Promise<ResponseOf<typeof OpenWallet>> {
    this.clock.assertGood();
    const at = this.clock.now();
    const walletId = this.host.randomBytes(WALLET_ID_BYTES).toString('hex') as WalletId;
    const { welcomeCredit } = this.#terms;
    const { inserted, stored: link } = await insertOrRead(
      this.links,
      {
        _id: linkOf(number),
        walletId,
        cause,
        welcomeCredit,
        at,
      },
      this.host,
    );
    crashPoint('wallet: link inserted');
    const { stored: wallet } = await insertOrRead(this.wallets, { _id: link.walletId, number, name, language, at }, this.host);
    crashPoint('wallet: wallet inserted');
    await this.#welcome(link);
    crashPoint('wallet: welcome credited');
    if (inserted) log.info({ walletId: wallet._id, msisdn: masked(number), smsId: cause }, 'wallet opened');
    return {
      result: link.cause === cause ? 'opened' : 'exists',
      party: partyOf(wallet),
      balance: await this.chains.balanceOf(walletAccount(wallet._id)),
      currency: this.settings.CURRENCY,
    };
  }

  async #welcome({ walletId, cause, welcomeCredit }: LinkRecord): Promise<void> {
    if (welcomeCredit === 0n) return;
    await this.ledger.make({
      transferId: welcomeOf(walletId),
      kind: 'welcome',
      from: treasuryAccount(this.settings.CURRENCY),
      to: walletAccount(walletId),
      amount: minorUnits(welcomeCredit),
      fee: NOTHING,
      currency: this.settings.CURRENCY,
      memo: '',
      cause: cause as string as Cause,
    });
  }

  /** The balance of a number's wallet. */
  async balance({ number }: RequestOf<typeof ReadBalance>): Promise<ResponseOf<typeof ReadBalance>> {
    const party = await this.#partyOf(number);
    if (!party) return { result: 'no_wallet' };
    const balance = await this.chains.balanceOf(walletAccount(party.walletId));
    return { result: 'balance', party, balance, held: NOTHING, currency: this.settings.CURRENCY };
  }

  /** What came and went last. */
  async statement({ number, limit }: RequestOf<typeof ReadStatement>): Promise<ResponseOf<typeof ReadStatement>> {
    const party = await this.#partyOf(number);
    if (!party) return { result: 'no_wallet' };
    const account = walletAccount(party.walletId);
    const [balance, debits, credits] = await Promise.all([
      this.chains.balanceOf(account),
      this.chains.lastOf(debitChain(account), limit),
      this.chains.lastOf(creditChain(account), limit),
    ]);
    const last = [...debits, ...credits].sort((one, other) => other.at.getTime() - one.at.getTime()).slice(0, limit);
    const others = await this.ownersOf(last.map((transfer) => otherOf(account, transfer)));
    return {
      result: 'statement',
      balance,
      currency: this.settings.CURRENCY,
      entries: last.map((transfer) => ({
        direction: transfer.debit.account === account ? ('out' as const) : ('in' as const),
        kind: transfer.kind,
        amount: minorUnits(transfer.amount),
        other: others.get(otherOf(account, transfer)),
        ref: transfer.ref,
        at: transfer.at,
      })),
    };
  }

  /** What a payment would cost, who both are, and what the payer has. */
  async quote({ payer, payee, amount }: RequestOf<typeof QuoteTransfer>): Promise<ResponseOf<typeof QuoteTransfer>> {
    const [from, to] = await Promise.all([this.#partyOf(payer), this.#partyOf(payee)]);
    return {
      payer: from,
      payee: to,
      fee: feeOf(amount, this.#terms.fees),
      payerBalance: from ? await this.chains.balanceOf(walletAccount(from.walletId)) : 0n,
      currency: this.settings.CURRENCY,
    };
  }

  /** An operator's top-up. The id comes from outside, so it must say the same each time. */
  async fund({ transferId, number, amount, memo, cause }: RequestOf<typeof FundWallet>): Promise<ResponseOf<typeof FundWallet>> {
    const party = await this.#partyOf(number);
    if (!party) return { result: 'no_wallet' };
    const to = walletAccount(party.walletId);
    const from = treasuryAccount(this.settings.CURRENCY);
    const order = {
      transferId,
      kind: 'top_up',
      from,
      to,
      amount,
      fee: NOTHING,
      currency: this.settings.CURRENCY,
      memo,
      cause,
    } as const;
    const answer = await this.ledger.make(order);
    switch (answer.result) {
      case 'made':
        return { result: 'made', balance: answer.payeeBalance, currency: this.settings.CURRENCY };
      case 'refused':
        return { result: 'refused', reason: answer.reason };
      case 'id_taken':
        return { result: 'id_taken' };
      default:
        return answer satisfies never;
    }
  }

  /** Whose the wallets among some accounts are, by account. */
  async ownersOf(accounts: readonly AccountId[]): Promise<Map<AccountId, { number: Msisdn; name: string }>> {
    const ids = accounts
      .filter((account) => account.startsWith('wallet:'))
      .map((account) => account.slice('wallet:'.length) as WalletId);
    if (ids.length === 0) return new Map();
    const wallets = await this.wallets.find({ _id: { $in: [...new Set(ids)] } }).lean<Wallet[]>();
    return new Map(wallets.map(({ _id, number, name }) => [walletAccount(_id), { number, name }]));
  }

  async #partyOf(number: Msisdn): Promise<Party | undefined> {
    const link = await this.links.findById(linkOf(number)).lean<LinkRecord>();
    const wallet = link && (await this.wallets.findById(link.walletId).lean<Wallet>());
    return wallet ? partyOf(wallet) : undefined;
  }
}

function partyOf({ _id, number, name, language }: Wallet): Party {
  return { number, name, language, link: linkOf(number), walletId: _id };
}

function otherOf(account: AccountId, { debit, credit }: PostedTransfer): AccountId {
  return debit.account === account ? credit.account : debit.account;
}
