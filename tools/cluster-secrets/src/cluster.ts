import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where Kubernetes puts what a pod needs to ask its API. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The data of a Secret, decoded. */
export type SecretData = Record<string, string>;

/** The Secrets of the namespace that this pod runs in. */
export interface Secrets {
  /** Undefined if there is none of the name. */
  read(name: string): Promise<SecretData | undefined>;
  /** Makes it. One that is there already is left as it is. */
  create(name: string, data: SecretData): Promise<void>;
  /** Replaces the data of one that is there. */
  replace(name: string, data: SecretData): Promise<void>;
}

/**
 * The Secrets by the API of the cluster, with the rights of the pod's service account. Node trusts the API's certificate by
 * `NODE_EXTRA_CA_CERTS`. Each gets `labels`.
 */
export function clusterSecrets(labels: Record<string, string>): Secrets {
  const account = (file: string) => readFileSync(join(ACCOUNT, file), 'utf8').trim();
  const namespace = account('namespace');
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const ask = (method: string, url: string, body?: object) =>
    fetch(`https://kubernetes.default.svc${url}`, {
      method,
      headers: { authorization: `Bearer ${account('token')}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(10_000),
    });
  const must = async (answer: Response, what: string) => {
    if (!answer.ok) throw new Error(`${what}: the cluster answers ${answer.status} ${await answer.text()}`);
  };
  const secretOf = (name: string, data: SecretData) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels },
    type: 'Opaque',
    stringData: data,
  });
  return {
    read: async (name) => {
      const answer = await ask('GET', `${path}/${name}`);
      if (answer.status === 404) return undefined;
      await must(answer, `read Secret ${name}`);
      const { data = {} } = (await answer.json()) as { data?: Record<string, string> };
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
    },
    create: async (name, data) => {
      const answer = await ask('POST', path, secretOf(name, data));
      if (answer.status !== 409) await must(answer, `make Secret ${name}`);
    },
    replace: async (name, data) => must(await ask('PUT', `${path}/${name}`, secretOf(name, data)), `replace Secret ${name}`),
  };
}
