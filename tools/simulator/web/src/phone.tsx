import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Phone, Text } from '../../src/live.ts';
import { spaced, timeOf } from './format.ts';
import { post, serviceNumber, textsByPhone } from './state.ts';
import { suggestionsFor } from './suggestions.ts';

/** One phone: its texts, what it may want to send, and the line to type in. `other` is whom the suggestions pay. */
export function PhoneView({ phone, other }: { phone: Phone; other: Phone | undefined }) {
  const texts = textsByPhone.value.get(phone.number) ?? [];
  const problem = useSignal<string | undefined>(undefined);
  const input = useRef<HTMLInputElement>(null);

  const send = async (body: string) => {
    problem.value = await post('/texts', { from: phone.number, body });
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const field = input.current;
    if (!field?.value.trim()) return;
    void send(field.value);
    field.value = '';
  };

  return (
    <section class="phone" aria-label={`${phone.name}'s phone`}>
      <header>
        <span class="face" aria-hidden="true">
          {phone.name.slice(0, 1).toUpperCase()}
        </span>
        <h2>{phone.name}</h2>
        <span class="number">{spaced(phone.number)}</span>
      </header>
      <div class="texts" role="log" aria-label={`${phone.name}'s texts`} tabIndex={0}>
        <div>
          {texts.length === 0 && <p class="empty">No texts yet. Send JOIN {phone.name} to open a wallet.</p>}
          {texts.map((text) => (
            <TextView key={text.sid} text={text} />
          ))}
        </div>
      </div>
      <div class="suggestions" role="group" aria-label={`Quick texts for ${phone.name}`}>
        {suggestionsFor(phone, other, texts).map((suggestion) => (
          <button
            key={suggestion}
            type="button"
            class={/^\d+$/.test(suggestion) ? 'code' : ''}
            onClick={() => void send(suggestion)}
          >
            {suggestion}
          </button>
        ))}
      </div>
      <form onSubmit={submit}>
        <input
          ref={input}
          aria-label={`Text from ${phone.name}`}
          placeholder={`Text to ${spaced(serviceNumber.value)}`}
          maxLength={1600}
          autocomplete="off"
          enterkeyhint="send"
        />
        <button type="submit" aria-label={`Send from ${phone.name}`}>
          <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
            <path d="M10 16V4M4.5 9.5 10 4l5.5 5.5" />
          </svg>
        </button>
      </form>
      <p role="alert" class="problem">
        {problem}
      </p>
    </section>
  );
}

function TextView({ text }: { text: Text }) {
  const at = text.direction === 'sent' ? text.at : text.updatedAt;
  return (
    <article class={`text ${text.direction}${text.errorCode ? ' failed' : ''}`}>
      <p>{text.body}</p>
      <footer>
        <time dateTime={new Date(at).toISOString()}>{timeOf(at)}</time>
        <span>
          {text.segments} segment{text.segments === 1 ? '' : 's'}
        </span>
        <span>{stateOf(text)}</span>
      </footer>
    </article>
  );
}

function stateOf({ direction, status, errorCode }: Text): string {
  if (errorCode === 11200) return 'not taken by the gateway';
  if (errorCode) return `not delivered (${errorCode})`;
  if (direction === 'received') return 'delivered';
  return status === 'received' ? 'taken' : 'sending…';
}
