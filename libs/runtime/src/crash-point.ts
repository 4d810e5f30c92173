/**
 * A named place between two effects. The fault tests read the names from the source and kill the process at each
 * (`SMSPAY_CRASH_AT=<name>`); in production it does nothing.
 */
export function crashPoint(name: string): void {
  if (CRASH_AT !== undefined && name === CRASH_AT) process.kill(process.pid, 'SIGKILL');
}

const CRASH_AT = process.env['SMSPAY_MODE'] === 'development' ? process.env['SMSPAY_CRASH_AT'] : undefined;
