import { accessSync, constants } from 'node:fs';
import { NatsLink, RpcClient, TakerFailed } from '#libs/messaging';
import { Metrics, realHost, Unavailable } from '#libs/runtime';
import { Problem, setting } from './settings.ts';

const CONNECT_MAX_MS = 5_000;

/** Asks the services over NATS with the operators' credential, then hangs up. */
export async function asking<Answer>(ask: (services: RpcClient) => Promise<Answer>): Promise<Answer> {
  const NATS_URL = setting('NATS_URL', 'NATS servers, comma separated: nats://host:4222');
  const link = new NatsLink('admin', { NATS_URL, NATS_CREDS: readable('NATS_CREDS'), NATS_CA: readable('NATS_CA') });
  const timer = AbortSignal.timeout(CONNECT_MAX_MS);
  const tooLong = new Promise<never>((_, reject) =>
    timer.addEventListener('abort', () => reject(new Problem(`NATS_URL: ${NATS_URL} does not answer`))),
  );
  try {
    await Promise.race([link.open(), tooLong]);
    return await ask(new RpcClient(link, realHost, new Metrics(realHost)));
  } catch (error) {
    if (error instanceof Unavailable)
      throw new Problem(`${error.message}: it may or may not have been done; ask again`, { cause: error });
    if (error instanceof TakerFailed) throw new Problem(`${error.message}: its log says why`, { cause: error });
    throw error;
  } finally {
    await link.close();
  }
}

/** The path in a setting, undefined if not set: a NATS without credentials or TLS. */
function readable(name: string): string | undefined {
  const path = process.env[name] || undefined;
  try {
    if (path) accessSync(path, constants.R_OK);
    return path;
  } catch (error) {
    throw new Problem(`${name}: cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
