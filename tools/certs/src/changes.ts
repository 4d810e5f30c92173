import {
  CertificateProblem,
  type Days,
  issueCertificate,
  makeRoot,
  readCertificate,
  readKey,
  readRoot,
  signUpdate,
  TrustList,
  trustListOf,
  type TrustUpdate,
} from '#libs/certificates';
import { certificateFile, dhKeyFile, type Folder, parseJson, ROOT, ROOT_KEY, signKeyFile, TRUST, updateFile } from './folder.ts';

const ROOT_NAME = 'smspay root';

/** Makes the root, once in a folder's life. */
export async function newRoot(folder: Folder, days: Days): Promise<void> {
  for (const name of [ROOT, ROOT_KEY])
    if ((await folder.find(name)) !== undefined)
      throw new CertificateProblem(`${name} is there already: a folder has one root, and apps that know it know no other`);
  const { certificate, key } = await makeRoot(ROOT_NAME, days);
  await folder.add(ROOT_KEY, key);
  await folder.add(ROOT, certificate);
}

/** Makes a certificate with its keys and takes it into the trust list. Its serial number. */
export async function issue(folder: Folder, days: Days): Promise<{ serial: string; list: TrustList }> {
  // What is wrong with the list would leave a certificate behind that is in none.
  await listOf(folder);
  const root = { certificate: await rootOf(folder), key: await rootKeyOf(folder) };
  const { serial, certificate, signKey, dhKey } = await issueCertificate(root, days);
  await folder.add(signKeyFile(serial), signKey);
  await folder.add(dhKeyFile(serial), dhKey);
  await folder.add(certificateFile(serial), certificate);
  return { serial, list: await writeTrust(folder) };
}

/** Writes `trust.json`; certificates of the folder that are in no update yet are taken in, the earliest first. Harmless to repeat. */
export async function writeTrust(folder: Folder): Promise<TrustList> {
  const root = await rootOf(folder);
  const { list } = await listOf(folder);
  const known = new Set(list.certificates.map(({ serial }) => serial));
  const found = (await serialsIn(folder))
    .filter((serial) => !known.has(serial))
    .map((serial) => certificateIn(folder, serial, root));
  const missing = (await Promise.all(found)).sort((a, b) => a.fromDay - b.fromDay || a.toDay - b.toDay);
  for (const [index, certificate] of missing.entries()) {
    const rootKey = readKey(await rootKeyOf(folder), 'ed25519');
    const version = list.version + 1 + index;
    await folder.add(updateFile(version), json(signUpdate({ type: 'add', ...certificate }, version, rootKey)));
  }
  return keepList(folder);
}

/** Revokes a certificate of the list, for ever. */
export async function revoke(folder: Folder, serial: string): Promise<TrustList> {
  const { list } = await listOf(folder);
  const there = list.certificates.find((certificate) => certificate.serial === serial);
  if (!there) throw new CertificateProblem(`${serial} is not in the trust list`);
  if (there.revoked) throw new CertificateProblem(`${serial} is revoked already`);
  const rootKey = readKey(await rootKeyOf(folder), 'ed25519');
  const version = list.version + 1;
  await folder.add(updateFile(version), json(signUpdate({ type: 'revoke', serial }, version, rootKey)));
  return keepList(folder);
}

/**
 * The updates of the folder and the list that they make. Throws a `CertificateProblem` if that list is older than `trust.json`: its version
 * was given away, and would be given away again.
 */
export async function listOf(folder: Folder): Promise<{ updates: TrustUpdate[]; list: TrustList }> {
  const root = await rootOf(folder);
  const updates = await folder.updates();
  const list = trustListOf(within(ROOT, readRoot, root).signPub, updates);
  const text = await folder.find(TRUST);
  const written = text === undefined ? undefined : parseJson(text, TrustList, TRUST);
  if (written && written.version > list.version)
    throw new CertificateProblem(
      `${TRUST} is version ${written.version}, and ${updateFile(list.version + 1)} is missing: restore it`,
    );
  return { updates, list };
}

/** The root's certificate, PEM. */
export async function rootOf(folder: Folder): Promise<string> {
  const hasKey = (await folder.find(ROOT_KEY)) !== undefined;
  const otherwise = hasKey
    ? `restore it; if \`certs root\` was broken off before any certificate was issued, delete ${ROOT_KEY} and run it again`
    : '`certs root` makes one';
  return folder.read(ROOT, otherwise);
}

/** The serial numbers of all certificates in the folder, by the names of their files. */
export async function serialsIn(folder: Folder): Promise<string[]> {
  return (await folder.names()).flatMap((name) => /^([0-9a-f]{16})\.pem$/.exec(name)?.[1] ?? []);
}

/** What the certificate in the file of this serial number says. */
export async function certificateIn(folder: Folder, serial: string, root: string) {
  const name = certificateFile(serial);
  const certificate = within(name, readCertificate, await folder.read(name, 'restore it'), root);
  if (certificate.serial !== serial) throw new CertificateProblem(`${name} has the certificate ${certificate.serial}`);
  return certificate;
}

/** Calls a function; a problem that it throws begins with the name of the file that has it. */
export function within<Args extends unknown[], Result>(name: string, read: (...args: Args) => Result, ...args: Args): Result {
  try {
    return read(...args);
  } catch (error) {
    if (error instanceof CertificateProblem) throw new CertificateProblem(`${name}: ${error.message}`);
    throw error;
  }
}

/** As it is written. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function rootKeyOf(folder: Folder): Promise<string> {
  return folder.read(ROOT_KEY, 'bring it back to where it is needed, and take it away again afterwards');
}

async function keepList(folder: Folder): Promise<TrustList> {
  const { list } = await listOf(folder);
  await folder.replace(TRUST, json(list));
  return list;
}
