import { fileURLToPath } from 'node:url';

/** The checkout, and where a development set-up keeps its data. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const DATA = `${ROOT}.smspay`;
