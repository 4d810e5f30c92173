import type { Caller } from '../caller.ts';
import type { SimulatedMongo } from './simulated-mongo.ts';

/** What a host of a URI stands for: a process, and the store that it reaches. */
export interface Endpoint {
  mongo: SimulatedMongo;
  caller: Caller;
  /** What is held of its connections outside of the world, and how to let go of it. */
  held: Set<() => void>;
}

const endpoints = new Map<string, Endpoint>();
let stores = 0;

/** The part of its hosts' names that is a store's own: stores of other worlds are in this process too. */
export const nextDomain = () => `${++stores}.simulated`;

export function addEndpoint(host: string, mongo: SimulatedMongo, caller: Caller): void {
  if (endpoints.has(host)) throw new Error(`the host ${host} is taken`);
  endpoints.set(host, { mongo, caller, held: new Set() });
}

export const endpointOf = (host: string): Endpoint | undefined => endpoints.get(host);

export function forgetEndpoint(host: string): void {
  for (const letGo of endpoints.get(host)?.held ?? []) letGo();
  endpoints.delete(host);
}
