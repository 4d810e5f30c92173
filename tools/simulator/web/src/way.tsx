import { duration, timeOf } from './format.ts';
import { hops, phones, shownTexts } from './state.ts';
import { lastSent, nameOf as nameIn, type Part, type Step, stepsOf } from './steps.ts';

const PARTS: Record<Part, { x: number; y: number }> = {
  phones: { x: 60, y: 20 },
  Twilio: { x: 216, y: 20 },
  'sms-gateway': { x: 372, y: 20 },
  notifications: { x: 216, y: 84 },
  transactions: { x: 372, y: 84 },
  wallet: { x: 372, y: 148 },
};
const ROADS: readonly (readonly [Part, Part])[] = [
  ['phones', 'Twilio'],
  ['Twilio', 'sms-gateway'],
  ['sms-gateway', 'transactions'],
  ['sms-gateway', 'wallet'],
  ['transactions', 'wallet'],
  ['transactions', 'notifications'],
  ['sms-gateway', 'notifications'],
];
const STAGGER_MS = 90;

/** The way of the last text through the parts: a map, and each step with its time. */
export function WayView() {
  const sent = lastSent(shownTexts.value);
  const steps = sent ? stepsOf(sent, shownTexts.value, hops.value, phones.value) : [];
  const nameOf = nameIn(phones.value);
  const begin = sent?.at ?? 0;
  const end = Math.max(...steps.map((step) => step.at + (step.ms ?? 0)), begin);
  return (
    <section class="way" aria-labelledby="way">
      <h2 id="way">The way of the last text</h2>
      <div class="overview">
        <Map steps={steps} key={sent?.sid} />
        {sent && (
          <p>
            <strong>{duration(end - begin)}</strong>
            <q>{sent.body}</q>
            <small>
              from {nameOf(sent.phone)} at {timeOf(sent.at)}
            </small>
          </p>
        )}
      </div>
      {sent ? (
        <ol class="steps" tabIndex={0} aria-labelledby="way">
          {steps.map((step, index) => (
            <StepView key={step.id} step={step} index={index} begin={begin} span={Math.max(end - begin, 1)} />
          ))}
        </ol>
      ) : (
        <p class="empty">Send a text from a phone: here you see which parts it goes through, and how long each takes.</p>
      )}
    </section>
  );
}

function StepView({ step, index, begin, span }: { step: Step; index: number; begin: number; span: number }) {
  const endOf = (part: Part) => (part === 'phones' ? (step.phone ?? part) : part);
  const left = Math.min(Math.max(((step.at - begin) / span) * 100, 0), 99);
  const width = Math.min(((step.ms ?? 0) / span) * 100, 100 - left);
  return (
    <li class={step.failed ? 'failed' : ''} style={{ animationDelay: `${index * STAGGER_MS}ms` }}>
      <span class="hop">
        {endOf(step.from)}{' '}
        <span role="img" aria-label="to">
          →
        </span>{' '}
        {endOf(step.to)}
      </span>
      <code>{step.what}</code>
      <span class="bar" aria-hidden="true">
        <span style={{ left: `${left}%`, width: `${width}%` }} />
      </span>
      <span class="ms">{step.ms === undefined ? '' : duration(step.ms)}</span>
    </li>
  );
}

function Map({ steps }: { steps: readonly Step[] }) {
  const visited = new Set(steps.flatMap(({ from, to }) => [from, to]));
  return (
    <svg
      class="map"
      viewBox="0 0 452 168"
      role="img"
      aria-label="Phones, Twilio, sms-gateway, transactions, wallet and notifications, and the roads between them"
    >
      {ROADS.map(([from, to]) => (
        <path key={`${from} ${to}`} class="road" d={road(from, to)} />
      ))}
      {steps.map((step, index) => (
        <path
          key={step.id}
          class={step.failed ? 'ride failed' : 'ride'}
          d={road(step.from, step.to)}
          pathLength={1}
          style={{ animationDelay: `${index * STAGGER_MS}ms` }}
        />
      ))}
      {Object.entries(PARTS).map(([part, { x, y }]) => (
        <g key={part} class={visited.has(part as Part) ? 'part visited' : 'part'}>
          <rect x={x - 56} y={y - 18} width="112" height="36" rx="10" />
          <text x={x} y={y + 4.5}>
            {part}
          </text>
        </g>
      ))}
    </svg>
  );
}

/** A line; from the gateway to the wallet it goes around transactions. */
function road(from: Part, to: Part): string {
  const [a, b] = [PARTS[from], PARTS[to]];
  if (Math.abs(a.y - b.y) < 100) return `M${a.x} ${a.y}L${b.x} ${b.y}`;
  return `M${a.x + 56} ${a.y}C${a.x + 84} ${a.y} ${b.x + 84} ${b.y} ${b.x + 56} ${b.y}`;
}
