import { randomBytes, createSecretKey } from 'node:crypto';
import { type AccountId, type Cause, type Currency, minorUnits, type Ref, type TransferId } from '#libs/contracts';
import { ledgerSource, type Order, type TransferDocument, verify } from '#libs/ledger';
import { connectionOptions } from '#libs/mongo';
import { Clock, Database } from '#libs/nest-service';
import { type Host, Lifecycle, log, Metrics, realHost } from '#libs/runtime';
import mongoose, { type Connection, type Model } from 'mongoose';
import { ChainsService } from './chains.service.ts';
import { LedgerReader } from './ledger-reader.service.ts';
import { LedgerService } from './ledger.service.ts';
import { LinkRecord, LinkSchema } from './link.schema.ts';
import { PinHashes } from './pin-hashes.ts';
import { PinRecord, PinSchema } from './pin.schema.ts';
import { PinsService } from './pins.service.ts';
import type { Settings } from './settings.ts';
import { Transfer, TransferSchema } from './transfer.schema.ts';
import { Wallet, WalletSchema } from './wallet.schema.ts';
import { WalletsService } from './wallets.service.ts';

export const KEYS = [{ id: 'k1', key: createSecretKey(Buffer.alloc(32, 1)) }];

/** What a service of one wallet process is made of, with a connection and memory of its own. */
export interface WalletProcess {
  connection: Connection;
  transfers: Model<TransferDocument>;
  links: Model<LinkRecord>;
  wallets: Model<Wallet>;
  chains: ChainsService;
  clock: Clock;
  ledger: LedgerService;
  people: WalletsService;
  pins: Model<PinRecord>;
  pinService: PinsService;
  reader: LedgerReader;
  stop(): Promise<void>;
}

/** The services of a wallet process, on a real database. */
export async function walletProcess(uri: string, change: Partial<Settings> = {}, host: Host = realHost): Promise<WalletProcess> {
  const given: Settings = {
    SMSPAY_MODE: 'development',
    PORT: 0,
    NATS_URL: 'nats://127.0.0.1',
    LOG_LEVEL: 'silent',
    MONGODB_URI: uri,
    CURRENCY: 'KES' as Currency,
    TIME_ZONE: 'Africa/Nairobi',
    WELCOME_CREDIT: '100.00',
    LEDGER_KEY: KEYS,
    DATA_KEYS: KEYS,
    PIN_PEPPER: KEYS,
    ...change,
  };
  log.level = given.LOG_LEVEL;
  const connection = await mongoose.createConnection(uri, connectionOptions).asPromise();
  const transfers = connection.model<TransferDocument>(Transfer.name, TransferSchema as never);
  const links = connection.model<LinkRecord>(LinkRecord.name, LinkSchema);
  const wallets = connection.model<Wallet>(Wallet.name, WalletSchema);
  const pins = connection.model<PinRecord>(PinRecord.name, PinSchema);
  const lifecycle = new Lifecycle(host);
  const metrics = new Metrics(host);
  const clock = new Clock(host, metrics);
  const database = new Database(connection, uri, clock, host, metrics);
  const chains = new ChainsService(transfers);
  const ledger = new LedgerService(transfers, chains, clock, host, metrics, given);
  const people = new WalletsService(links, wallets, ledger, chains, clock, host, given);
  const pinService = new PinsService(pins, links, new PinHashes(host, metrics, given), clock, host, given);
  const reader = new LedgerReader(transfers, people);
  await database.open(lifecycle);
  const stop = async () => {
    lifecycle.stop();
    await connection.close();
  };
  return { connection, transfers, links, wallets, chains, clock, ledger, people, pins, pinService, reader, stop };
}

export const TREASURY = 'treasury:KES' as AccountId;
export const FEES = 'fees:KES' as AccountId;

/** A wallet account that nobody used before. */
export const newAccount = () => `wallet:${randomBytes(16).toString('hex')}` as AccountId;

/** An order under an id that nobody used before. */
export function newOrder(change: Partial<Omit<Order, 'at'>> = {}): Omit<Order, 'at'> & { ref: Ref } {
  return {
    transferId: `pay:SM${randomBytes(16).toString('hex')}` as TransferId,
    kind: 'payment',
    from: TREASURY,
    to: TREASURY,
    amount: minorUnits(100n),
    fee: minorUnits(0n),
    currency: 'KES' as Currency,
    ref: 0xf0000001 as Ref,
    memo: 'lunch',
    cause: 'SM1' as Cause,
    ...change,
  } as Omit<Order, 'at'> & { ref: Ref };
}

/** All that is wrong with the ledger of a database. */
export async function problemsOf(transfers: Model<TransferDocument>): Promise<string[]> {
  return (await verify(ledgerSource(transfers.collection), KEYS, 'Africa/Nairobi')).problems;
}
