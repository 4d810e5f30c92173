import { readFileSync } from 'node:fs';

/** Of Linux, on every machine Node runs on (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** CPU time that a process has used, all threads, in ms; NaN where there is no /proc. */
export function cpuMs(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: fields are counted behind it (proc(5): utime and stime are the 14th and 15th).
    const [, , , , , , , , , , , utime, stime] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(utime) + Number(stime)) * 1000) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}
