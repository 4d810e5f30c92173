import { commonSettings } from '#libs/runtime';
import { z } from 'zod';
import { clusterSecrets } from './cluster.ts';
import { makeSecrets } from './make.ts';

/** Run by the chart's Job before an install and an upgrade: makes the Secrets that are missing, in the pod's namespace. */
const settings = z.object({
  RELEASE: z.string().min(1),
  NAMESPACE: z.string().min(1),
  REVISION: z.string().min(1),
  SMSPAY_MODE: commonSettings.shape.SMSPAY_MODE,
  KEYS: z.string().transform((list) => list.split(',').filter(Boolean)),
  SIMULATED_TWILIO: z.string().optional(),
  MONGODB: z.string().optional(),
  MONGODB_KIND: z.enum(['bundled', 'operator']).default('bundled'),
  /** `{"wallet":"smspay_wallet"}` */
  MONGODB_DATABASES: z
    .string()
    .default('{}')
    .transform((json) => z.record(z.string(), z.string()).parse(JSON.parse(json))),
  NATS: z.string().optional(),
  NATS_REPLICAS: z.coerce.number().int().min(1).default(3),
});

const wanted = settings.parse(process.env);
const { RELEASE, NAMESPACE, REVISION, SMSPAY_MODE, KEYS, SIMULATED_TWILIO, MONGODB, MONGODB_KIND, MONGODB_DATABASES } = wanted;
const { NATS, NATS_REPLICAS } = wanted;
const labels = { 'app.kubernetes.io/name': 'smspay', 'app.kubernetes.io/instance': RELEASE };
await makeSecrets(
  clusterSecrets(labels),
  {
    keys: KEYS,
    simulatedTwilio: SIMULATED_TWILIO || undefined,
    mongodb: MONGODB ? { name: MONGODB, kind: MONGODB_KIND, databases: MONGODB_DATABASES } : undefined,
    nats: NATS ? { name: NATS, namespace: NAMESPACE, mode: SMSPAY_MODE, replicas: NATS_REPLICAS, revision: REVISION } : undefined,
  },
  (name) => console.log(`made Secret ${name}`),
);
