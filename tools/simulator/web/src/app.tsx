import { useRef } from 'preact/hooks';
import { AddPhone } from './add-phone.tsx';
import { Ledger } from './ledger.tsx';
import { PhoneView } from './phone.tsx';
import { connection, health, phones } from './state.ts';
import { WayView } from './way.tsx';

/** The whole page. */
export function App() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [first, ...others] = phones.value;
  return (
    <>
      <header class="top">
        <div>
          <h1>
            <Mark /> smspay <span>simulator</span>
          </h1>
          <p>Phones and Twilio are played here. Everything between them is real.</p>
        </div>
        <Lamps />
        <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>
          Add a phone
        </button>
      </header>
      <Problems />
      <main>
        {first ? (
          <div class="stage">
            <PhoneView phone={first} other={others[0]} />
            <WayView />
            {others.map((phone) => (
              <PhoneView key={phone.number} phone={phone} other={first} />
            ))}
          </div>
        ) : (
          <p class="empty">Looking for the simulator…</p>
        )}
        <Ledger />
      </main>
      <AddPhone dialog={dialog} />
    </>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <path class="mark" d="M6 4h20a5 5 0 0 1 5 5v10a5 5 0 0 1-5 5H14l-8 6v-6a5 5 0 0 1-5-5V9a5 5 0 0 1 5-5z" />
      <path class="mark-lines" d="M9 11h14M9 17h9" />
    </svg>
  );
}

function Lamps() {
  if (connection.value !== 'open') return null;
  return (
    <ul class="lamps" aria-label="Behind the phones">
      <li class={health.value.gateway ? 'bad' : 'good'}>sms-gateway {health.value.gateway ? 'not reachable' : 'ready'}</li>
      <li class={health.value.ledger ? 'bad' : 'good'}>ledger {health.value.ledger ? 'not readable' : 'readable'}</li>
    </ul>
  );
}

function Problems() {
  const problems =
    connection.value === 'lost'
      ? ['The simulator does not answer. Start it with npm start; this page connects again by itself.']
      : [health.value.gateway, health.value.ledger].filter((problem) => problem !== undefined);
  return (
    <div role="status" class="problems">
      {problems.map((problem) => (
        <p key={problem}>{problem}</p>
      ))}
    </div>
  );
}
