import {
  DismissDeadLetters,
  LetterBox,
  ListDeadLetters,
  type NextLetters,
  ReplayDeadLetters,
  type ResponseOf,
  type WhichLetters,
} from '#libs/contracts';
import type { RpcClient } from '#libs/messaging';
import { asking } from './services.ts';
import { Problem } from './settings.ts';

const PAGE = 100;
const IDS_MAX = 100;
const HOUR_MS = 3_600_000;

/** As an operator says which. */
export interface Which {
  box?: LetterBox;
  all?: boolean;
  reason?: string;
  /** Hours. */
  olderThan?: number;
}

/** Prints what was given up after its counted tries, the oldest first. */
export async function listDeadLetters(which: Which & { limit: number }): Promise<void> {
  let shown = 0;
  await asking(async (services) => {
    for (const box of boxesOf(which)) {
      for await (const { id, number, event, reason, tries, since } of lettersIn(services, criteriaOf(box, which))) {
        if (shown === which.limit) return console.log(`only the first ${which.limit}: --limit shows more`);
        shown++;
        const what = [box, id, number, event].filter((part) => part !== undefined).join('  ');
        console.log(`${what}  since ${since.toISOString()}, ${tries} tries: ${reason}`);
      }
    }
    return undefined;
  });
  console.log(shown === 0 ? 'no dead letters' : 'drive them again: dead-letters replay; put them away: dead-letters dismiss');
}

/** Drives dead letters again, or puts them away. False if none of what was named is one. */
export async function moveDeadLetters(move: 'replay' | 'dismiss', ids: string[], which: Which): Promise<boolean> {
  const some = which.all || which.reason !== undefined || which.olderThan !== undefined;
  if (ids.length === 0 && !some) throw new Problem(`say which: ids as they are listed, --all, --reason or --older-than`);
  if (ids.length > 0 && some) throw new Problem('either ids, or --all, --reason and --older-than');
  const contract = move === 'replay' ? ReplayDeadLetters : DismissDeadLetters;
  if (ids.length > IDS_MAX) throw new Problem(`at most ${IDS_MAX} ids at once, got ${ids.length}`);
  const now = Date.now();
  let moved = 0;
  await asking(async (services) => {
    for (const box of boxesOf(which)) {
      let next: NextLetters | undefined;
      for (let more = true; more;) {
        const named = ids.length > 0 ? { ids } : {};
        const answer = await services.ask(contract, { ...criteriaOf(box, which, now), ...named, ...next });
        moved += answer.done;
        next = answer.next;
        // Without a place, as 0.2.0 answers, what changed by itself meanwhile is not asked for again and again.
        more = answer.more && (next !== undefined || answer.done > 0);
      }
    }
  });
  console.log(`${moved} ${moved === 1 ? 'dead letter' : 'dead letters'} ${move === 'replay' ? 'driven again' : 'put away'}`);
  return moved > 0;
}

const boxesOf = ({ box }: Which): readonly LetterBox[] => (box ? [box] : LetterBox.options);

/** Of those that are dead letters now: what becomes one again meanwhile is none of them. */
const criteriaOf = (box: LetterBox, { reason, olderThan = 0 }: Which, now = Date.now()): WhichLetters => ({
  box,
  ...(reason === undefined ? {} : { reason }),
  until: new Date(now - olderThan * HOUR_MS),
});

/** All letters, page by page. */
async function* lettersIn(services: RpcClient, which: WhichLetters) {
  let next: NextLetters | undefined;
  do {
    const answer: ResponseOf<typeof ListDeadLetters> = await services.ask(ListDeadLetters, { ...which, ...next, limit: PAGE });
    yield* answer.letters;
    next = answer.next;
  } while (next);
}
