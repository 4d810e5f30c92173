import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';

type Act = (connection: NatsConnection, subject: string, callback: (error: Error | null) => void) => void;

/** Which of `subjects` NATS refuses, when `act` is done with each: a publish, or a subscription with that callback. In their order. */
export async function refusedOf(connection: NatsConnection, subjects: readonly string[], act: Act): Promise<string[]> {
  const refused = new Set<string>();
  void (async () => {
    for await (const status of connection.status())
      if (status.type === 'error' && status.error instanceof PermissionViolationError) refused.add(status.error.subject);
  })();
  for (const subject of subjects) {
    act(connection, subject, (error) => error && refused.add(subject));
    // A refusal comes before the answer to this ping.
    await connection.flush();
  }
  // The loop above has read what came before.
  await new Promise(setImmediate);
  return subjects.filter((subject) => refused.has(subject));
}
