import {
  CertificateProblem,
  dateOf,
  type KeyType,
  rawPublicKey,
  readKey,
  readRoot,
  ServerKeys,
  TrustList,
  type TrustUpdate,
} from '#libs/certificates';
import { certificateIn, listOf, rootOf, serialsIn, within } from './changes.ts';
import { certificateFile, dhKeyFile, type Folder, parseJson, ROOT, ROOT_KEY, signKeyFile, TRUST } from './folder.ts';

/** Time to bring out an app; and when an app that is brought out now comes too late for many. */
const WARN_DAYS = 60;
const URGENT_DAYS = 14;

/** What was found in a folder. With `problems` nothing in it should be used; `warnings` say what must be done in time. */
export interface Findings {
  problems: string[];
  warnings: string[];
  /** No private key is there at all: a copy for those who should see none. */
  isPublic: boolean;
  /** As far as they could be read. */
  root?: string;
  updates: TrustUpdate[];
  list?: TrustList;
}

/** Looks at everything in a folder, as it is on `today`. */
export async function inspect(folder: Folder, today: number): Promise<Findings> {
  const isPublic = !(await folder.names()).some((name) => name.endsWith('.key.pem'));
  const found: Findings = { problems: [], warnings: [], isPublic, updates: [] };
  const attempt = async (look: () => Promise<void>) => {
    try {
      await look();
    } catch (error) {
      if (!(error instanceof CertificateProblem)) throw error;
      found.problems.push(error.message);
    }
  };
  let root = '';
  await attempt(async () => {
    root = await rootOf(folder);
    const { signPub, days } = within(ROOT, readRoot, root);
    found.root = root;
    if (days.fromDay > today || days.toDay < today)
      found.problems.push(`${ROOT}: is valid from ${dateOf(days.fromDay)} to ${dateOf(days.toDay)}`);
    if ((await folder.find(ROOT_KEY)) !== undefined) await checkKey(folder, ROOT_KEY, 'ed25519', signPub.toString('hex'));
  });
  if (!found.root) return found;

  await attempt(async () => void Object.assign(found, await listOf(folder)));
  const serials = await serialsIn(folder);
  const { list } = found;
  for (const serial of serials)
    await attempt(async () => {
      const certificate = await certificateIn(folder, serial, root);
      const listed = list?.certificates.find((each) => each.serial === serial);
      if (list && !listed) throw new CertificateProblem(`${serial} is in no update yet: \`certs trust\` takes it in`);
      if (listed && (listed.fromDay !== certificate.fromDay || listed.toDay !== certificate.toDay))
        throw new CertificateProblem(`${certificateFile(serial)} has other days than its update`);
      // Where a certificate holds no more its keys may be gone, and its DH key should be.
      const isUsed = certificate.toDay >= today && !listed?.revoked;
      for (const [name, type, key] of [
        [signKeyFile(serial), 'ed25519', certificate.signPub],
        [dhKeyFile(serial), 'x25519', certificate.dhPub],
      ] as const)
        await attempt(async () => {
          if ((isUsed && !isPublic) || (await folder.find(name)) !== undefined) await checkKey(folder, name, type, key);
        });
    });
  for (const { serial } of list?.certificates ?? [])
    if (!serials.includes(serial)) found.problems.push(`${certificateFile(serial)} is missing: restore it`);
  for (const name of await folder.names()) {
    const [, serial] = /^([0-9a-f]{16})\.(?:sign|dh)\.key\.pem$/.exec(name) ?? [];
    if (serial && !serials.includes(serial))
      found.problems.push(`${name} belongs to no certificate: an \`issue\` was broken off; delete it`);
  }

  if (!list) return found;
  await attempt(async () => {
    const written = parseJson(await folder.read(TRUST, '`certs trust` writes it'), TrustList, TRUST);
    if (JSON.stringify(written) !== JSON.stringify(list))
      throw new CertificateProblem(`${TRUST} is not what the updates make: \`certs trust\` writes it anew`);
  });
  const leftDays = coveredUntil(list, today) + 1 - today;
  const none = `from ${dateOf(today + leftDays)} on, in ${daysText(leftDays)}, no certificate is valid`;
  if (leftDays === 0) found.problems.push(`no certificate is valid on ${dateOf(today)}: issue one`);
  else if (leftDays <= URGENT_DAYS) found.warnings.push(`${none}: issue one now, and send its update to every phone`);
  else if (leftDays <= WARN_DAYS) found.warnings.push(`${none}: issue the next, and bring out an app with it`);
  return found;
}

/** What the server needs of a folder. Throws a `CertificateProblem` if anything in it is wrong. */
export async function serverKeysOf(folder: Folder, today: number): Promise<ServerKeys> {
  const { problems, isPublic, root = '', list, updates } = await inspect(folder, today);
  if (isPublic) problems.push(`${folder.path} has no private keys: export where they are`);
  if (problems.length > 0 || !list) throw new CertificateProblem(problems.join('\n'));
  const used = list.certificates
    .filter(({ revoked, toDay }) => !revoked && toDay >= today)
    .sort((a, b) => a.fromDay - b.fromDay || a.toDay - b.toDay);
  const read = (name: string) => folder.read(name, 'it was there a moment ago');
  const certificates = used.map(async ({ serial }) => ({
    serial,
    certificate: await read(certificateFile(serial)),
    signKey: await read(signKeyFile(serial)),
    dhKey: await read(dhKeyFile(serial)),
  }));
  return ServerKeys.parse({ root, trust: list, updates, certificates: await Promise.all(certificates) });
}

/** The state of a certificate of the list on a day, in words. */
export function stateOf({ revoked, fromDay, toDay }: TrustList['certificates'][number], today: number): string {
  if (revoked) return 'revoked';
  if (toDay < today) return 'over';
  if (fromDay > today) return `begins in ${daysText(fromDay - today)}`;
  return `valid, ${daysText(toDay + 1 - today)} left`;
}

/** The last day up to which a certificate is valid on each day from `today` on; the day before it if there is none today. */
function coveredUntil({ certificates }: TrustList, today: number): number {
  let covered = today - 1;
  for (const { fromDay, toDay } of certificates.filter(({ revoked }) => !revoked).sort((a, b) => a.fromDay - b.fromDay))
    if (fromDay <= covered + 1) covered = Math.max(covered, toDay);
  return covered;
}

/** That a private key is of the type, belongs to this public one, and is its owner's alone. */
async function checkKey(folder: Folder, name: string, type: KeyType, publicKey: string): Promise<void> {
  const key = within(name, readKey, await folder.read(name, 'restore it'), type);
  if (rawPublicKey(key).toString('hex') !== publicKey)
    throw new CertificateProblem(`${name}: is not the private key of the certificate`);
  if (await folder.isOpen(name)) throw new CertificateProblem(`${name}: others may read it; chmod 600`);
}

function daysText(days: number): string {
  return days === 1 ? '1 day' : `${days} days`;
}
