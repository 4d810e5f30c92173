import type { z } from 'zod';

export type ServiceName = 'sms-gateway' | 'transactions' | 'wallet' | 'notifications';

/** The name of a service, of a tool that asks services, and of its NATS credential. */
export type Asker = ServiceName | 'admin' | 'simulator';

/**
 * One question of one service to another: subject and schemas in one place. A reply means that the taker's database holds what was
 * asked (docs/design.md, "Who asks whom"); an outage is an exception at the asker, never a value of the response.
 */
export interface Contract<Request extends z.ZodType = z.ZodType, Response extends z.ZodType = z.ZodType> {
  readonly subject: string;
  /** Who answers. */
  readonly by: ServiceName;
  /** Who may ask; nobody else's credential can publish on the subject. */
  readonly from: readonly Asker[];
  readonly request: Request;
  readonly response: Response;
}

/** Declares a contract. */
export function rpc<Request extends z.ZodType, Response extends z.ZodType>(
  contract: Contract<Request, Response>,
): Contract<Request, Response> {
  return contract;
}

export type RequestOf<C extends Contract> = z.output<C['request']>;
export type ResponseOf<C extends Contract> = z.output<C['response']>;

/** What a taker answers instead of a response (docs/design.md, "Redrive"): `failed` is a fault of this one, `unavailable` an outage behind it. */
export type RpcFault = 'failed' | 'unavailable';
