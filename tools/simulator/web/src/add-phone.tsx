import type { RefObject } from 'preact';
import { useSignal } from '@preact/signals';
import { post } from './state.ts';

/** Asks for a name and a number; closes when the phone is there. */
export function AddPhone({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  const problem = useSignal<string | undefined>(undefined);

  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    problem.value = await post('/phones', Object.fromEntries(new FormData(form)));
    if (problem.value) return;
    form.reset();
    dialog.current?.close();
  };

  return (
    <dialog ref={dialog} aria-labelledby="add-phone">
      <form onSubmit={add}>
        <h2 id="add-phone">Add a phone</h2>
        <label>
          Name
          <input name="name" required maxLength={40} autocomplete="off" placeholder="Carol" />
        </label>
        <label>
          Number
          <input name="number" required inputMode="tel" autocomplete="off" placeholder="0733 112 233" />
        </label>
        <p role="alert" class="problem">
          {problem}
        </p>
        <div class="buttons">
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit">Add</button>
        </div>
      </form>
    </dialog>
  );
}
