import { ListDeadLetters, ReplayDeadLetter, type RequestOf } from '#libs/contracts';
import { asking } from './services.ts';

/** Prints what was given up after its counted tries, oldest first. */
export async function listDeadLetters(limit: number): Promise<void> {
  const { letters } = await asking((services) => services.ask(ListDeadLetters, { limit }));
  for (const { what, id, reason, tries, since } of letters) {
    console.log(`${what}  ${id}  since ${since.toISOString()}, ${tries} tries: ${reason}`);
  }
  console.log(letters.length === 0 ? 'no dead letters' : 'replay one with: dead-letters replay <what> <id>');
}

/** Drives a dead letter again. False if there is none of that id. */
export async function replayDeadLetter(what: RequestOf<typeof ReplayDeadLetter>['what'], id: string): Promise<boolean> {
  const { result } = await asking((services) => services.ask(ReplayDeadLetter, { what, id }));
  console.log(result === 'replayed' ? `${what} ${id} is driven again` : `there is no dead letter ${id} in the ${what}`);
  return result === 'replayed';
}
