import { perSecondOf, quantile, type Results, sustainedBy, type Turn, type Way, WAYS } from './results.ts';

const GOAL = 0.5;

/** The results as a person reads them. */
export function report({ cores, node, mongodb, nats, payers, sustained, atHalf, documentBytes, bareWrites }: Results): string {
  const ratio = sustainedBy('whole', sustained) / sustainedBy('bare', sustained);
  const turnsOf = (way: Way) => sustained.filter((turn) => turn.way === way);
  const lost = [...sustained, ...Object.values(atHalf)].reduce((sum, turn) => sum + turn.lost, 0);
  return [
    '',
    `${cores} cores, Node ${node}`,
    mongodb,
    nats,
    ...(isStandIn(mongodb)
      ? ['A stand-in for MongoDB ran: only the ratios say something, no figure of it is one of MongoDB.']
      : []),
    '',
    `Payments a second, ${payers} payers at once`,
    ...table([
      ['', ...turnsOf('whole').map((_, index) => `turn ${index + 1}`), 'median'],
      ...WAYS.map((way) => [
        `${way} way`,
        ...turnsOf(way).map((turn) => perSecondOf(turn).toFixed(1)),
        sustainedBy(way, sustained).toFixed(1),
      ]),
    ]),
    `  whole to bare: ${ratio.toFixed(2)} (goal: at least ${GOAL.toFixed(2)})`,
    '',
    'From the PAY to both receipts, begun by the clock at half of that, ms',
    ...table([
      ['', 'payments/s', 'p50', 'p99'],
      ...WAYS.map((way) => [
        `${way} way`,
        perSecondOf(atHalf[way]).toFixed(1),
        ...[0.5, 0.99].map((share) => quantile(atHalf[way].latenciesMs, share).toFixed(0)),
      ]),
    ]),
    '',
    'Where that time goes on the whole way, on average',
    ...table([
      ['', 'ms', 'share'],
      ...atHalf.whole.hops.map(({ name, ms }) => [name, ms.toFixed(1), percent(ms, sum(atHalf.whole.hops.map((hop) => hop.ms)))]),
    ]),
    '',
    'CPU time for each payment, all at once, ms',
    ...cpuTable(turnsOf('whole'), turnsOf('bare')),
    '',
    'Bytes of a stored document',
    ...table([
      ['', ...Object.keys(documentBytes.whole)],
      ...WAYS.map((way) => [`${way} way`].concat(Object.values(documentBytes[way]).map((bytes) => bytes.toFixed(0)))),
    ]),
    `  The bare way made ${bareWrites.toFixed(2)} writes for each payment.`,
    ...(lost > 0 ? ['', `${lost} payments were refused, took too long or were not begun: the figures are not right.`] : []),
  ].join('\n');
}

export const isStandIn = (mongodb: string) => /stand-in/.test(mongodb);

function cpuTable(whole: Turn[], bare: Turn[]): string[] {
  const names = new Set([...whole, ...bare].flatMap((turn) => Object.keys(turn.cpuMs)));
  const middle = (turns: Turn[], name: string) =>
    quantile(
      turns.flatMap((turn) => turn.cpuMs[name] ?? []),
      0.5,
    );
  const rows = [...names].map((name) => ({ name, whole: middle(whole, name), bare: middle(bare, name) }));
  const shown = (ms: number) => (Number.isNaN(ms) ? '' : ms.toFixed(2));
  const total = (way: Way) => sum(rows.map((row) => row[way]).filter((ms) => !Number.isNaN(ms)));
  return table([
    ['', 'whole way', 'bare way'],
    ...rows.map((row) => [row.name, shown(row.whole), shown(row.bare)]),
    ['all', shown(total('whole')), shown(total('bare'))],
  ]);
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(0)} %`;

/** The first column to the left, the others to the right. */
function table(rows: string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    ['', ...row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))].join(
      '  ',
    ),
  );
}
