/** Injects the service's settings, as its `settings.ts` describes them. */
export const SETTINGS = Symbol('settings');
