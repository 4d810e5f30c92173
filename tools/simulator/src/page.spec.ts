import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  developmentSecrets,
  developmentSettings,
  type MongoServer,
  natsCredentials,
  type NatsServer,
  startMongo,
  startNats,
} from '#libs/dev-servers';
import { type ServiceName, ServiceProcess, SERVICES } from '#libs/testing';
import getPort from 'get-port';
import { type Browser, chromium, type Page } from 'playwright-core';
import { readSettings } from './settings.ts';
import { Simulator } from './simulator.ts';

const CHROMIUM = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path && existsSync(path));
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
const TABS_MAX = 60;

if (!CHROMIUM) console.log("the simulator's page is not tested: no Chromium here; install one or set CHROMIUM_PATH");

(CHROMIUM ? describe : describe.skip)('the page, in Chromium, with all services behind it', () => {
  let dir: string;
  let mongo: MongoServer;
  let nats: NatsServer;
  let services: ServiceProcess[];
  let simulator: Simulator;
  let address: string;
  let browser: Browser;
  let page: Page;
  let elsewhere: string[];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'smspay-page-'));
    const secrets = developmentSecrets(dir);
    const { users, seedFiles } = await natsCredentials(dir);
    [mongo, nats] = await Promise.all([
      startMongo({ dataDir: join(dir, 'mongo') }),
      startNats({ users, dataDir: join(dir, 'nats') }),
    ]);
    const [gateway, transactions, wallet, notifications, own] = await Promise.all(Array.from({ length: 5 }, () => getPort()));
    const ports = {
      'sms-gateway': gateway ?? 0,
      transactions: transactions ?? 0,
      wallet: wallet ?? 0,
      notifications: notifications ?? 0,
      simulator: own ?? 0,
    };
    const settingsOf = (part: ServiceName | 'simulator') => developmentSettings(part, { ports, mongo, nats, seedFiles, secrets });
    services = SERVICES.map((service) => new ServiceProcess(service, settingsOf(service)));
    const read = readSettings(settingsOf('simulator'));
    if ('problems' in read) throw new Error(read.problems.join('\n'));
    simulator = new Simulator(read.settings);
    [address, browser] = await Promise.all([
      simulator.listen(),
      chromium.launch({
        executablePath: CHROMIUM ?? '',
        args: [...QUIET, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
      }),
      ...services.map((service) => service.start()),
    ]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await simulator?.close();
    for (const service of services?.toReversed() ?? []) await service.stop();
    await nats?.stop();
    await mongo?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.setDefaultTimeout(15_000);
    elsewhere = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(address) && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    page.on('pageerror', (error) => elsewhere.push(String(error)));
    await page.goto(address);
    await page.getByLabel('Text from Ada').waitFor();
  });

  afterEach(async () => {
    await page.close();
    expect(elsewhere).toEqual([]);
  });

  const phone = (name: string) => page.getByRole('region', { name: `${name}'s phone` });
  const heard = (name: string, text: RegExp) => phone(name).getByRole('log').getByText(text).waitFor();

  /** Goes on with Tab, as a person without a mouse does, until what has the focus is called `name`. */
  async function tabTo(name: RegExp): Promise<void> {
    for (let tabs = 0; tabs < TABS_MAX; tabs++) {
      await page.keyboard.press('Tab');
      const focused = page.locator(':focus');
      if ((await focused.count()) === 0) continue;
      const called = (await focused.getAttribute('aria-label')) ?? (await focused.textContent()) ?? '';
      if (name.test(called)) return;
    }
    throw new Error(`${TABS_MAX} times Tab and nothing called ${name} had the focus`);
  }

  async function types(name: string, body: string): Promise<void> {
    await tabTo(new RegExp(`^Text from ${name}$`));
    await page.keyboard.type(body);
    await page.keyboard.press('Enter');
  }

  it('lets two people join and pay by keyboard alone, and shows both receipts, the way, and a sum of zero', async () => {
    await types('Ada', 'JOIN Ada');
    await heard('Ada', /^Welcome/);
    await types('Ben', 'JOIN Ben');
    await heard('Ben', /^Welcome/);

    await types('Ada', 'PAY 25 0712345678 lunch');
    await heard('Ada', /^Pay KES 25\.00 to B\*\*/);
    await tabTo(/^\d{6}$/);
    await page.keyboard.press('Enter');
    await heard('Ada', /^Paid KES 25\.00 .*Balance KES 974\.90/);
    await heard('Ben', /^You got KES 25\.00 .*Balance KES 1,025\.00/);

    const steps = page.getByRole('list', { name: 'The way of the last text' });
    for (const step of [
      /^Ada → Twilio/,
      /^Twilio → sms-gateway.* ms$/,
      /^sms-gateway → transactions.* ms$/,
      /^transactions → wallet.* ms$/,
      /^transactions → notifications.* ms$/,
      /^notifications → sms-gateway.* ms$/,
      /^sms-gateway → Twilio.* ms$/,
      /^Twilio → Ada.* ms$/,
      /^Twilio → Ben.* ms$/,
    ])
      await steps.getByRole('listitem').filter({ hasText: step }).first().waitFor();

    const ledger = page.getByRole('region', { name: 'The ledger' });
    await ledger
      .getByRole('row')
      .filter({ hasText: /payment ?Ada → Ben.*lunch.*25\.00 ?0\.10 ?[2-9A-Z]{7}$/ })
      .waitFor();
    expect(await ledger.getByRole('row').filter({ hasText: 'Treasury → ' }).count()).toBe(2);
    expect(await page.locator('.sum').textContent()).toBe('Sum of allzero, as it must always beKES 0.00');
    expect(await page.locator('.sum').getAttribute('class')).toBe('sum zero');
  }, 60_000);

  it('shows the same again when it is opened anew', async () => {
    await heard('Ada', /^Paid KES 25\.00/);
    await page.getByRole('row').filter({ hasText: 'Ada → Ben' }).waitFor();
  });

  it('adds a phone, and says what is no number', async () => {
    await page.getByRole('button', { name: 'Add a phone' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a phone' });
    await dialog.getByLabel('Name').fill('Carol');
    await dialog.getByLabel('Number').fill('0733');
    await dialog.getByLabel('Number').press('Enter');
    await dialog.getByRole('alert').getByText('0733 is not a phone number. One of Kenya looks like 0712 345 678.').waitFor();
    await dialog.getByLabel('Number').fill('0733 112 233');
    await dialog.getByLabel('Number').press('Enter');
    await phone('Carol').getByRole('button', { name: 'JOIN Carol' }).click();
    await heard('Carol', /^Welcome/);
  });

  it('fits a narrow screen, and is dark where the system is', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByRole('row').filter({ hasText: 'Ada → Ben' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')).toBe('rgb(14, 19, 17)');
  });

  it('says what is away and what to do, and when it is back', async () => {
    const gateway = services.find(({ service }) => service === 'sms-gateway');
    const wallet = services.find(({ service }) => service === 'wallet');
    const status = page.locator('.problems');
    await Promise.all([gateway?.stop(), wallet?.stop()]);
    await status.getByText(/^The sms-gateway does not answer at .* Start it with npm start/).waitFor();
    await status.getByText(/^The wallet does not answer, or not with its ledger/).waitFor();
    await page.getByLabel('Text from Ada').fill('BAL');
    await page.getByLabel('Text from Ada').press('Enter');
    await phone('Ada').getByText('not taken by the gateway').waitFor();
    await Promise.all([gateway?.start(), wallet?.start()]);
    await status.getByRole('paragraph').first().waitFor({ state: 'detached' });
  }, 60_000);
});
